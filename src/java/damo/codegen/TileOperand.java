package damo.codegen;

/**
 * A or B as products by tiles see them: lines, the rows of A or the columns of B, of k terms each.
 * An element lies at (u / w)·panel + (u mod w)·unit + v·lead, where w is the columns of a panel; u
 * is the term and v the line where the operand lies along k, else the other way round.
 *
 * @param base where it begins
 * @param along whether it lies along k, an i1
 * @param unit the step from one element to the next in a panel: 1 but for odd strides
 * @param lead the step across
 * @param panel the step from a panel to the next: w steps where there are no panels
 */
record TileOperand(String base, String along, String unit, String lead, String panel) {
    private static final int WORD = 8;
    /** Words of one in memory. */
    static final int WORDS = 5;

    /** Appends loads of one from memory. */
    static TileOperand load(Lines lines, Vectors v, String address) {
        return new TileOperand(word(lines, address, 0, "ptr"),
                lines.value("icmp ne i64 ", word(lines, address, 1, "i64"), ", 0"),
                word(lines, address, 2, "i64"), word(lines, address, 3, "i64"),
                word(lines, address, 4, "i64"));
    }

    /** Appends stores of it. */
    void store(Lines lines, String address) {
        put(lines, address, 0, "ptr", base);
        put(lines, address, 1, "i64", lines.value("zext i1 ", along, " to i64"));
        put(lines, address, 2, "i64", unit);
        put(lines, address, 3, "i64", lead);
        put(lines, address, 4, "i64", panel);
    }

    /** Appends the load of a word of a table. */
    static String word(Lines lines, String table, int number, String type) {
        return lines.value("load ", type, ", ptr ", at(lines, table, number));
    }

    /** Appends a store to a word of a table. */
    static void put(Lines lines, String table, int number, String type, String value) {
        lines.add("store ", type, " ", value, ", ptr ", at(lines, table, number));
    }

    /** Appends the address of a word of a table. */
    static String at(Lines lines, String table, int number) {
        return lines.value("getelementptr inbounds i8, ptr ", table, ", i64 ",
                Integer.toString(number * WORD));
    }

    /**
     * Appends what finds out how an operand of {@code count} lines and k terms lies, given its
     * strides; {@code whole} tells (i1) that it is a whole matrix in panels.
     */
    static TileOperand of(Lines lines, Tiles tiles, String base, String count, String k,
                          String across, String along, String whole) {
        Whole w = new Whole(lines);
        String columns = Integer.toString(tiles.columns());
        String terms = w.either(w.is("eq", along, "1"), w.is("eq", k, "1"));
        String adjacent = w.either(w.is("eq", across, "1"), w.is("eq", count, "1"));
        String panels = lines.select(whole, "i1", w.both(w.is("eq", along, "1"),
                w.is("eq", across, k)), lines.value("xor i1 ", adjacent, ", true"));
        String unit = w.pick(w.either(w.either(terms, adjacent), whole), "1", along);
        String rows = w.pick(panels, count, k);
        String lead = w.pick(whole, columns, w.pick(panels, across, along));
        String panel = w.times(columns, w.pick(whole, rows, unit));
        return new TileOperand(base, panels, unit, lead, panel);
    }

    /** The same, or one element again and again where {@code none} (i1) holds. */
    TileOperand unless(Lines lines, String none, String element) {
        Whole w = new Whole(lines);
        return new TileOperand(lines.select(none, "ptr", element, base), along,
                w.pick(none, "0", unit), w.pick(none, "0", lead), w.pick(none, "0", panel));
    }
}
