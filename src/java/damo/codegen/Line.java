package damo.codegen;

/**
 * A line of elements as vectors: whole ones, and what is left, under a mask.
 *
 * @param lines where its loops are written
 * @param lanes elements of a vector
 * @param whole the number of whole vectors
 * @param end the index at which they end
 * @param some 1 where something is left, else 0
 * @param mask which lanes that is
 */
record Line(Lines lines, int lanes, String whole, String end, String some, String mask) {
    /** What is done with a vector at an index, under a mask that may be null. */
    interface Part {
        void write(String index, String mask);
    }

    /** The same where vectors are dealt to some chains, of which it belongs to one. */
    interface Link {
        void write(String index, int chain, String mask);
    }

    /** Appends what finds them, for a line of {@code length} elements. */
    static Line of(Lines lines, Vectors v, String length) {
        String count = Integer.toString(v.lanes());
        String whole = lines.value("udiv i64 ", length, ", ", count);
        String end = lines.value("mul nuw nsw i64 ", whole, ", ", count);
        String left = lines.value("sub nsw i64 ", length, ", ", end);
        String some = lines.value("zext i1 ", lines.value("icmp sgt i64 ", left, ", 0"),
                " to i64");
        return new Line(lines, v.lanes(), whole, end, some, v.below(left));
    }

    /** Appends a loop over its vectors. */
    void each(Part part) {
        vectors("0", whole, part);
        last(part);
    }

    private void vectors(String from, String count, Part part) {
        String i = lines.fresh();
        lines.loop(i, count, null, () -> part.write(index(from.equals("0") ? i
                : lines.value("add nuw nsw i64 ", from, ", ", i)), null));
    }

    private void last(Part part) {
        lines.loop(lines.fresh(), some, null, () -> part.write(end, mask));
    }

    private String index(String vector) {
        return lines.value("mul nuw nsw i64 ", vector, ", ", Integer.toString(lanes));
    }

    /** Appends a loop over its vectors, so many at a time as there are chains. */
    void each(int chains, Link part) {
        if (chains == 1) {
            each((index, mask) -> part.write(index, 0, mask));
            return;
        }
        String blocks = lines.value("udiv i64 ", whole, ", ", Integer.toString(chains));
        String block = lines.fresh();
        lines.loop(block, blocks, null, () -> {
            String from = lines.value("mul nuw nsw i64 ", block, ", ",
                    Integer.toString(chains));
            for (int s = 0; s < chains; s++) {
                part.write(index(lines.value("add nuw nsw i64 ", from, ", ",
                        Integer.toString(s))), s, null);
            }
        });
        String from = lines.value("mul nuw nsw i64 ", blocks, ", ", Integer.toString(chains));
        vectors(from, lines.value("sub nsw i64 ", whole, ", ", from),
                (index, mask) -> part.write(index, 0, mask));
        last((index, mask) -> part.write(index, 0, mask));
    }
}
