package damo.codegen;

/** The words of memory in which a product by tiles tells its parts what to do. */
final class TileJob {
    private static final int B = TileOperand.WORDS;
    private static final int REST = 2 * TileOperand.WORDS;
    /** How many words it has. */
    static final int WORDS = REST + Field.values().length;

    private final Lines lines;
    private final Tiles tiles;
    private final String table;

    /** One at an address, in a function that is written to {@code lines}. */
    TileJob(Lines lines, Tiles tiles, String table) {
        this.lines = lines;
        this.tiles = tiles;
        this.table = table;
    }

    /** What there is besides the operands. */
    enum Field {
        /** Sizes of C. */
        M, N,
        /** Terms, and those of a block. */
        K, TERMS,
        /** Factors. */
        ALPHA, BETA,
        /** C, the step between its rows, that between its panels. */
        C, LEAD, PANEL,
        /** 1 where tiles read an operand as it lies. */
        A_LIES, B_LIES,
        /** What is called for rows that are finished, or null, and with what. */
        TAIL, CONTEXT,
        /** Rows and columns of a chunk, and chunks side by side. */
        ROWS, COLUMNS, ACROSS
    }

    /** The address of A as an operand. */
    String a() {
        return table;
    }

    /** The address of B. */
    String b() {
        return TileOperand.at(lines, table, B);
    }

    /** Appends the load of a field. */
    String get(Field f) {
        return TileOperand.word(lines, table, REST + f.ordinal(), type(f));
    }

    /** Appends a store to a field. */
    void put(Field f, String value) {
        TileOperand.put(lines, table, REST + f.ordinal(), type(f), value);
    }

    private String type(Field f) {
        return switch (f) {
            case ALPHA, BETA -> tiles.type();
            case C, TAIL, CONTEXT -> "ptr";
            default -> "i64";
        };
    }
}
