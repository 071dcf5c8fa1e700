package damo.codegen;

import java.util.List;

/** Rows dealt to tiles: the largest as often as it fits, then one that takes the rest. */
final class RowSplit {
    private final Lines lines;
    private final List<Integer> sizes;
    private final Part part;

    /** What is done with rows {@code from} on by so many of a tile, {@code rows} by each. */
    interface Part {
        void write(int tile, String count, String from, String rows);
    }

    private RowSplit(Lines lines, List<Integer> sizes, Part part) {
        this.lines = lines;
        this.sizes = sizes;
        this.part = part;
    }

    /** Appends it for {@code rows} rows; the {@code sizes} of tiles grow. */
    static void write(Lines lines, List<Integer> sizes, String rows, Part part) {
        new RowSplit(lines, sizes, part).all(rows);
    }

    private void all(String rows) {
        Whole w = new Whole(lines);
        String size = Integer.toString(sizes.getLast());
        String whole = w.over(rows, size);
        part.write(sizes.size() - 1, whole, "0", size);
        String from = w.times(whole, size);
        String left = w.minus(rows, from);
        lines.when(w.is("sgt", left, "0"), () -> rest(0, from, left));
    }

    private void rest(int tile, String from, String left) {
        if (tile == sizes.size() - 1) {
            part.write(tile, "1", from, left);
        } else {
            lines.either(new Whole(lines).is("sle", left, Integer.toString(sizes.get(tile))),
                    () -> part.write(tile, "1", from, left), () -> rest(tile + 1, from, left));
        }
    }
}
