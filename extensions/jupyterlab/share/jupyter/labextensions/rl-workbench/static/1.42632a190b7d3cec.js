"use strict";(self.rspackChunkrl_workbench=self.rspackChunkrl_workbench||[]).push([[1],{22(r,o,e){var t=e(23),n=e.n(t),a=e(24),i=(e.n(a))()(n());i.push([r.id,`/* RL Workbench in JupyterLab. Every colour is the theme's. */

.rlw-Panel {
  display: flex;
  flex-direction: column;
  min-width: 220px;
  overflow: hidden auto;
  color: var(--jp-ui-font-color1);
  background: var(--jp-layout-color1);
  font-size: var(--jp-ui-font-size1);
  font-variant-numeric: tabular-nums;
}
.rlw-Header {
  display: flex;
  align-items: center;
  padding: 4px 8px 4px 12px;
}
.rlw-Header h2 {
  flex: 1;
  margin: 0;
  font-size: var(--jp-ui-font-size0);
  font-weight: 600;
  letter-spacing: 0.1em;
  text-transform: uppercase;
}
.rlw-Filter {
  flex: none;
  height: 28px;
  margin: 0 12px 8px;
  padding: 0 8px;
  color: inherit;
  background: var(--jp-input-background);
  border: 1px solid var(--jp-border-color1);
  border-radius: var(--jp-border-radius);
  font: inherit;
}
.rlw-Filter::placeholder {
  color: var(--jp-ui-font-color2);
}
.rlw-Filter:focus-visible {
  border-color: var(--jp-brand-color1);
  outline: 1px solid var(--jp-brand-color1);
}

/* State */
.rlw-Dot {
  flex: none;
  align-self: center;
  width: 8px;
  height: 8px;
  border: 2px solid var(--jp-ui-font-color3);
  border-radius: 50%;
  box-sizing: border-box;
}
[data-state="running"] > * > .rlw-Dot,
[data-state="running"] > .rlw-Dot {
  background: var(--jp-success-color1);
  border-color: var(--jp-success-color1);
}
[data-state="paused"] > * > .rlw-Dot,
[data-state="paused"] > .rlw-Dot {
  background: var(--jp-warn-color1);
  border-color: var(--jp-warn-color1);
}
[data-state="failed"] > * > .rlw-Dot,
[data-state="lost"] > * > .rlw-Dot {
  border-color: var(--jp-error-color1);
}

/* Runs */
.rlw-Runs {
  margin: 0;
  padding: 0;
  list-style: none;
}
.rlw-Run {
  border-top: 1px solid var(--jp-border-color2);
}
.rlw-Run:last-child {
  border-bottom: 1px solid var(--jp-border-color2);
}
.rlw-Run-head {
  display: grid;
  grid-template: auto auto auto / 8px minmax(0, 1fr) auto;
  gap: 1px 8px;
  width: 100%;
  padding: 8px 12px;
  color: inherit;
  background: none;
  border: 0;
  font: inherit;
  line-height: 18px;
  text-align: left;
  cursor: pointer;
}
.rlw-Run-head:hover {
  background: var(--jp-layout-color2);
}
.rlw-Run-head:focus-visible {
  outline: 1px solid var(--jp-brand-color1);
  outline-offset: -2px;
}
.rlw-Run-title,
.rlw-Run-about,
.rlw-Run-steps {
  overflow: hidden;
  text-overflow: ellipsis;
  white-space: nowrap;
}
.rlw-Run-title {
  font-weight: 600;
}
.rlw-Run-return {
  font-weight: 600;
  text-align: right;
}
.rlw-Run-about,
.rlw-Run-steps {
  grid-column: 2;
  color: var(--jp-ui-font-color2);
  font-size: var(--jp-ui-font-size0);
  line-height: 16px;
}
[data-state="failed"] .rlw-Run-about,
[data-state="lost"] .rlw-Run-about {
  color: var(--jp-error-color1);
}
.rlw-Spark {
  grid-area: 2 / 3 / 4 / 4;
  align-self: end;
  justify-self: end;
}
.rlw-Spark-line {
  fill: none;
  stroke: var(--jp-brand-color1);
  stroke-width: 1.5;
  stroke-linejoin: round;
}
.rlw-Spark-end {
  fill: var(--jp-brand-color1);
}
.rlw-Run-going {
  display: flex;
  gap: 4px;
  align-items: center;
  min-height: 24px;
  padding: 0 8px 6px 28px;
}
.rlw-Bar {
  flex: 1;
  margin-right: 4px;
  height: 3px;
  overflow: hidden;
  background: var(--jp-layout-color3);
  border-radius: 2px;
}
.rlw-Bar > div {
  height: 100%;
  background: var(--jp-brand-color1);
  transform-origin: left;
  transition: transform 200ms linear;
}

.rlw-Icon {
  display: flex;
  flex: none;
  align-items: center;
  justify-content: center;
  width: 24px;
  height: 24px;
  padding: 0;
  background: none;
  border: 0;
  border-radius: var(--jp-border-radius);
  cursor: pointer;
}
.rlw-Icon:hover {
  background: var(--jp-layout-color2);
}
.rlw-Icon:focus-visible {
  outline: 1px solid var(--jp-brand-color1);
}
.rlw-Icon:disabled {
  opacity: 0.4;
  cursor: default;
}
.rlw-Icon span {
  display: flex;
}

/* What a run tells when it is opened */
.rlw-Run-more {
  padding: 0 12px 10px 28px;
  font-size: var(--jp-ui-font-size0);
}
.rlw-Run-more dl {
  display: grid;
  grid-template-columns: auto minmax(0, 1fr);
  gap: 3px 12px;
  margin: 0 0 8px;
}
.rlw-Run-more dt {
  color: var(--jp-ui-font-color2);
}
.rlw-Run-more dd {
  margin: 0;
  overflow-wrap: anywhere;
}
.rlw-Run-offers {
  display: flex;
  flex-wrap: wrap;
  gap: 6px;
}
.rlw-Run-offers button,
.rlw-Empty button {
  height: 24px;
  padding: 0 10px;
  color: var(--jp-ui-font-color1);
  background: var(--jp-layout-color1);
  border: 1px solid var(--jp-border-color1);
  border-radius: var(--jp-border-radius);
  font: inherit;
  cursor: pointer;
}
.rlw-Run-offers button:hover,
.rlw-Empty button:hover {
  background: var(--jp-layout-color2);
}
.rlw-Run-offers button:focus-visible,
.rlw-Empty button:focus-visible {
  outline: 2px solid var(--jp-brand-color1);
}

/* Notices */
.rlw-Fault {
  margin: 0 12px 8px;
  padding: 6px 8px;
  border-left: 3px solid var(--jp-warn-color1);
  background: var(--jp-layout-color2);
  font-size: var(--jp-ui-font-size0);
  line-height: 16px;
}
.rlw-Empty {
  display: flex;
  flex-direction: column;
  gap: 8px;
  align-items: center;
  padding: 48px 24px;
  color: var(--jp-ui-font-color2);
  line-height: 18px;
  text-align: center;
}
.rlw-Empty h3 {
  margin: 4px 0 0;
  color: var(--jp-ui-font-color1);
  font-size: var(--jp-ui-font-size2);
  font-weight: 600;
}
.rlw-Empty p {
  margin: 0 0 8px;
}
.rlw-Empty code {
  padding: 1px 4px;
  background: var(--jp-layout-color2);
  border-radius: 2px;
}
.rlw-Empty button {
  min-width: 150px;
  height: 28px;
}
.rlw-Empty .rlw-mod-first {
  color: var(--jp-ui-inverse-font-color1, #ffffff);
  background: var(--jp-brand-color1);
  border-color: var(--jp-brand-color1);
}
.rlw-Empty .rlw-mod-first:hover {
  background: var(--jp-brand-color0);
}
.rlw-Rest {
  margin: 8px 12px;
  color: var(--jp-ui-font-color2);
  font-size: var(--jp-ui-font-size0);
  text-align: center;
}

/* Status bar */
.rlw-Status {
  display: flex;
}
.rlw-Status-button {
  display: flex;
  gap: 8px;
  align-items: center;
  height: 100%;
  padding: 0 4px;
  color: var(--jp-ui-font-color1);
  background: none;
  border: 0;
  font: inherit;
  font-size: var(--jp-ui-font-size1);
  font-variant-numeric: tabular-nums;
  cursor: pointer;
}
.rlw-Status-button:hover {
  background: var(--jp-layout-color3);
}
.rlw-Status-button:focus-visible {
  outline: 1px solid var(--jp-brand-color1);
  outline-offset: -1px;
}

@media (prefers-reduced-motion: reduce) {
  .rlw-Bar > div {
    transition: none;
  }
}

/* The last picture of an output whose widget is gone. */
.rlw-Still {
  max-width: 100%;
  height: auto;
}
`,""]),e.d(o,{},{A:i})},24(r){r.exports=function(r){var o=[];return o.toString=function(){return this.map(function(o){var e="",t=void 0!==o[5];return o[4]&&(e+="@supports (".concat(o[4],") {")),o[2]&&(e+="@media ".concat(o[2]," {")),t&&(e+="@layer".concat(o[5].length>0?" ".concat(o[5]):""," {")),e+=r(o),t&&(e+="}"),o[2]&&(e+="}"),o[4]&&(e+="}"),e}).join("")},o.i=function(r,e,t,n,a){"string"==typeof r&&(r=[[null,r,void 0]]);var i={};if(t)for(var l=0;l<this.length;l++){var p=this[l][0];null!=p&&(i[p]=!0)}for(var s=0;s<r.length;s++){var u=[].concat(r[s]);t&&i[u[0]]||(void 0!==a&&(void 0===u[5]||(u[1]="@layer".concat(u[5].length>0?" ".concat(u[5]):""," {").concat(u[1],"}")),u[5]=a),e&&(u[2]&&(u[1]="@media ".concat(u[2]," {").concat(u[1],"}")),u[2]=e),n&&(u[4]?(u[1]="@supports (".concat(u[4],") {").concat(u[1],"}"),u[4]=n):u[4]="".concat(n)),o.push(u))}},o}},23(r){r.exports=function(r){return r[1]}},15(r,o,e){e.r(o);var t=e(16),n=e.n(t),a=e(17),i=e.n(a),l=e(18),p=e.n(l),s=e(19),u=e.n(s),d=e(20),c=e.n(d),f=e(21),v=e.n(f),g=e(22),x={};x.styleTagTransform=v(),x.setAttributes=u(),x.insert=p().bind(null,"head"),x.domAPI=i(),x.insertStyleElement=c(),n()(g.A,x);let h=g.A&&g.A.locals?g.A.locals:void 0;e.d(o,{},{default:h})},16(r){var o=[];function e(r){for(var e=-1,t=0;t<o.length;t++)if(o[t].identifier===r){e=t;break}return e}function t(r,t){for(var n={},a=[],i=0;i<r.length;i++){var l=r[i],p=t.base?l[0]+t.base:l[0],s=n[p]||0,u="".concat(p," ").concat(s);n[p]=s+1;var d=e(u),c={css:l[1],media:l[2],sourceMap:l[3],supports:l[4],layer:l[5]};if(-1!==d)o[d].references++,o[d].updater(c);else{var f=function(r,o){var e=o.domAPI(o);return e.update(r),function(o){o?(o.css!==r.css||o.media!==r.media||o.sourceMap!==r.sourceMap||o.supports!==r.supports||o.layer!==r.layer)&&e.update(r=o):e.remove()}}(c,t);t.byIndex=i,o.splice(i,0,{identifier:u,updater:f,references:1})}a.push(u)}return a}r.exports=function(r,n){var a=t(r=r||[],n=n||{});return function(r){r=r||[];for(var i=0;i<a.length;i++){var l=e(a[i]);o[l].references--}for(var p=t(r,n),s=0;s<a.length;s++){var u=e(a[s]);0===o[u].references&&(o[u].updater(),o.splice(u,1))}a=p}}},18(r){var o={};r.exports=function(r,e){var t=function(r){if(void 0===o[r]){var e=document.querySelector(r);if(window.HTMLIFrameElement&&e instanceof window.HTMLIFrameElement)try{e=e.contentDocument.head}catch(r){e=null}o[r]=e}return o[r]}(r);if(!t)throw Error("Couldn't find a style target. This probably means that the value for the 'insert' parameter is invalid.");t.appendChild(e)}},20(r){r.exports=function(r){var o=document.createElement("style");return r.setAttributes(o,r.attributes),r.insert(o,r.options),o}},19(r,o,e){r.exports=function(r){var o=e.nc;o&&r.setAttribute("nonce",o)}},17(r){r.exports=function(r){if("u"<typeof document)return{update:function(){},remove:function(){}};var o=r.insertStyleElement(r);return{update:function(e){var t,n,a;t="",e.supports&&(t+="@supports (".concat(e.supports,") {")),e.media&&(t+="@media ".concat(e.media," {")),(n=void 0!==e.layer)&&(t+="@layer".concat(e.layer.length>0?" ".concat(e.layer):""," {")),t+=e.css,n&&(t+="}"),e.media&&(t+="}"),e.supports&&(t+="}"),(a=e.sourceMap)&&"u">typeof btoa&&(t+="\n/*# sourceMappingURL=data:application/json;base64,".concat(btoa(unescape(encodeURIComponent(JSON.stringify(a))))," */")),r.styleTagTransform(t,o,r.options)},remove:function(){var r;null===(r=o).parentNode||r.parentNode.removeChild(r)}}}},21(r){r.exports=function(r,o){if(o.styleSheet)o.styleSheet.cssText=r;else{for(;o.firstChild;)o.removeChild(o.firstChild);o.appendChild(document.createTextNode(r))}}}}]);