"""A sum tree: leaves with weights, drawn in proportion to them in logarithmic time (Schaul et al. 2016, appendix B.2).

A kernel is one cell (t, i) of a batch [T, B]; a target supplies the loops. P: leaves, a power of two.

The tree is one float64 array [2 * P]: node k stands over nodes 2k and 2k + 1, node 1 is the root, leaf j is node P + j,
and node 0 is not used. A leaf of weight 0 is never drawn, so that those beyond a capacity are none.

A sum is always made anew of the two below it, never corrected by a difference: whatever was written before, the root is
off by at most log2(P) roundings. Corrected, it would drift with every write, and after 1e9 of them point beside the
leaves. In float32 even fresh sums are too coarse: over 2**20 leaves of one weight, a leaf is 2**-20 of the root, and
eight values of a float32 draw would share two leaves between them.
"""

ZERO = 0.0


def leaves(capacity: int) -> int:
    """Return P, the least power of two that holds `capacity` leaves."""
    return 1 << (capacity - 1).bit_length()


def write(t, i, leaf, weight, tree):
    """Give a leaf its weight, and make the sums above it anew; of several writes to one leaf, the last stands.

    Args:
        t, i: The cell.
        leaf: [T, B] int64, from 0 to P - 1.
        weight: [T, B] float64, at least 0 and finite.
        tree: [2 * P] float64, written.
    """
    node = (tree.shape[0] >> 1) + leaf[t, i]
    tree[node] = weight[t, i]
    while node > 1:
        node >>= 1
        tree[node] = tree[2 * node] + tree[2 * node + 1]


def draw(t, i, uniform, tree, leaf):
    """Draw a leaf from the cell's share of the weights: the T * B cells have equal shares, side by side.

    So each leaf is drawn its expected number of times, rounded up or down, instead of with that mean.

    Args:
        t, i: The cell.
        uniform: [T, B] float64 in [0, 1), independent: where within the share.
        tree: [2 * P] float64, whose root is greater than 0.
        leaf: [T, B] int64, written.
    """
    share = (t * uniform.shape[1] + i + uniform[t, i]) / uniform.size
    rest, node, first = share * tree[1], 1, tree.shape[0] >> 1
    while node < first:
        node *= 2
        # Rounding may leave a rest beyond both children: where there is nothing on the right, go left.
        if rest >= tree[node] and tree[node + 1] > ZERO:
            rest -= tree[node]
            node += 1
    leaf[t, i] = node - first
