// Modules are numbered in their order, not by a hash of where they lie: every checkout builds the same bytes.
module.exports = { optimization: { moduleIds: "natural", chunkIds: "natural" } };
