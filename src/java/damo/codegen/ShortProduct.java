package damo.codegen;

import damo.program.Size;
import damo.program.Step;
import damo.tensor.DType;
import java.util.List;

/**
 * Products C[m n] = alpha A[m k] B[k n] + beta C of few rows or few columns, as one function with
 * the parameters of {@code damo.gemm}: operands are used too few times to be copied before, and are
 * read where they lie. docs/decisions/0045-short-products.md.
 */
final class ShortProduct {
    /** Rows of C that are few: a tile. */
    private static final int ROWS = 12;
    /** Multiplications of a chunk. */
    private static final int GRAIN = 1 << 20;
    /** Rows, and strips of columns, of which a chunk has a multiple. */
    private static final int CHUNK_ROWS = 48;
    private static final int CHUNK_STRIPS = 4;

    private final Tiles tiles;
    private final Lines lines = new Lines();
    private final Whole w = new Whole(lines);

    private ShortProduct(Tiles tiles) {
        this.tiles = tiles;
    }

    /** The name (with {@code @}) of the function, which {@code outside} learns of. */
    static String require(Outside outside, DType t, int vectorBits) {
        String name = new Tiles(t, vectorBits).name("short");
        outside.share(name, "void @" + name + "(i64, i64, i64, {T}, ptr, i64, i64, ptr, i64, i64, "
                .replace("{T}", Types.value(t)) + Types.value(t) + ", ptr, i64, i64)",
                () -> module(t, vectorBits));
        return "@" + name;
    }

    /**
     * Appends whether this computes a product of {@code k} terms, an i1; the other sizes are
     * parameters, with their names.
     */
    static String fits(Lines lines, Tiles tiles, String k) {
        Whole w = new Whole(lines);
        String few = w.either(w.is("sle", "%m", Integer.toString(ROWS)),
                w.is("sle", "%n", Integer.toString(tiles.columns())));
        String dots = w.both(w.both(w.is("eq", "%b.row", "1"), w.is("eq", "%a.col", "1")),
                w.is("sgt", k, Integer.toString(tiles.columns())));
        return w.both(few, w.either(w.is("eq", "%b.col", "1"), dots));
    }

    /** Whether it is known when a step is written that this computes it. */
    static boolean fits(Step.Gemm g, Tiles tiles) {
        return g.n() instanceof Size.Int n && 1 <= n.value() && n.value() <= tiles.columns()
                && g.b().colStride().equals(new Size.Int(1));
    }

    /** The module with the function and all that it calls. */
    private static LlvmModule module(DType t, int vectorBits) {
        Tiles tiles = new Tiles(t, vectorBits);
        Outside outside = new Outside();
        String parallel = Parallel.require(outside, vectorBits);
        String text = outside.declarations() + new ShortProduct(tiles).chunk()
                + new ShortProduct(tiles).whole(parallel) + ShortTiles.text(tiles)
                + Attributes.text(vectorBits);
        return new LlvmModule(List.of(new LlvmModule.Text(text, LlvmModule.Kind.LOOPS)),
                outside.externals(), outside.shared());
    }

    // ## The function

    private String whole(String parallel) {
        lines.slot("%job", "[" + Word.values().length + " x i64]");
        lines.when(w.both(w.is("sgt", "%m", "0"), w.is("sgt", "%n", "0")), () -> {
            // A sum of nothing is 0, whatever the factor is.
            put(Word.ALPHA, lines.select(w.is("sgt", "%k", "0"), tiles.type(), "%factor",
                    Types.floating(0.0)));
            form();
            chunks();
            run(parallel);
        });
        lines.add("ret void");
        return "define void @" + tiles.name("short") + "(i64 %m, i64 %n, i64 %k, " + tiles.type()
                + " %factor, ptr %a, i64 %a.row, i64 %a.col, ptr %b, i64 %b.row, i64 %b.col, "
                + tiles.type() + " %beta, ptr %c, i64 %c.row, i64 %threads) #0 {\n" + lines.text()
                + "}\n\n";
    }

    /** Which form computes it, and how it sees B. */
    private void form() {
        String rows = w.is("eq", "%b.col", "1");
        String few = w.both(w.is("sle", "%m", Integer.toString(ShortTiles.fewRows())),
                w.is("sle", "%n", Integer.toString(tiles.lanes())));
        put(Word.FORM, lines.select(rows, "ptr", lines.select(few, "ptr", "@" + tiles.name("few"),
                "@" + tiles.name("rows")), "@" + tiles.name("dots")));
        put(Word.M, "%m");
        put(Word.N, "%n");
        put(Word.K, "%k");
        put(Word.A, "%a");
        put(Word.A_ROW, "%a.row");
        put(Word.A_COL, "%a.col");
        put(Word.B, "%b");
        put(Word.B_ROW, w.pick(rows, "%b.row", "%b.col"));
        put(Word.B_STRIP, w.pick(rows, Integer.toString(tiles.columns()),
                w.times("%b.col", tiles.columns())));
        put(Word.BETA, "%beta");
        put(Word.C, "%c");
        put(Word.C_ROW, "%c.row");
    }

    /** Rows and columns of a chunk follow from sizes alone: all of the one that is few. */
    private void chunks() {
        String down = w.is("sgt", "%m", "%n");
        String line = w.times(w.most("%k", "1"), w.pick(down, "%n", "%m"));
        String unit = w.pick(down, Integer.toString(CHUNK_ROWS),
                Integer.toString(CHUNK_STRIPS * tiles.columns()));
        String length = w.times(w.parts(w.parts(Integer.toString(GRAIN), line), unit), unit);
        put(Word.ROWS, w.pick(down, length, "%m"));
        put(Word.COLUMNS, w.pick(down, "%n", length));
    }

    private void run(String parallel) {
        String chunks = w.times(w.parts("%m", get(Word.ROWS)), w.parts("%n", get(Word.COLUMNS)));
        String body = "@" + tiles.name("short.chunk");
        lines.either(w.either(w.is("sle", "%threads", "1"), w.is("sle", chunks, "1")), () -> {
            put(Word.ROWS, "%m");
            put(Word.COLUMNS, "%n");
            lines.add("call void ", body, "(ptr %job, i64 0)");
        }, () -> lines.add("call void ", parallel, "(ptr ", body, ", ptr %job, i64 ", chunks,
                ", i64 %threads)"));
    }

    // ## A chunk

    /** What a chunk is told. */
    private enum Word {
        FORM, M, N, K, ALPHA, A, A_ROW, A_COL, B, B_ROW, B_STRIP, BETA, C, C_ROW,
        /** Rows and columns of a chunk. */
        ROWS, COLUMNS
    }

    private String chunk() {
        String rows = get(Word.ROWS);
        String columns = get(Word.COLUMNS);
        String across = w.parts(get(Word.N), columns);
        String i = w.times(w.over("%number", across), rows);
        String j = w.times(w.rest("%number", across), columns);
        String strip = w.over(j, Integer.toString(tiles.columns()));
        Vectors v = new Vectors(lines, tiles.t(), tiles.lanes());
        String cRow = get(Word.C_ROW);
        String aRow = get(Word.A_ROW);
        String bStrip = get(Word.B_STRIP);
        lines.add("call void ", get(Word.FORM), "(i64 ", w.least(rows, w.minus(get(Word.M), i)),
                ", i64 ", w.least(columns, w.minus(get(Word.N), j)), ", i64 ", get(Word.K), ", ",
                tiles.type(), " ", get(Word.ALPHA), ", ptr ", v.address(get(Word.A),
                        w.times(i, aRow)), ", i64 ", aRow, ", i64 ", get(Word.A_COL), ", ptr ",
                v.address(get(Word.B), w.times(strip, bStrip)), ", i64 ", get(Word.B_ROW),
                ", i64 ", bStrip, ", ", tiles.type(), " ", get(Word.BETA), ", ptr ",
                v.address(v.address(get(Word.C), w.times(i, cRow)), j), ", i64 ", cRow, ", i64 ",
                Integer.toString(tiles.columns()), ")");
        lines.add("ret void");
        return "define internal void @" + tiles.name("short.chunk")
                + "(ptr %job, i64 %number) #2 {\n" + lines.text() + "}\n\n";
    }

    private String address(Word word) {
        return lines.value("getelementptr inbounds i64, ptr %job, i64 ",
                Integer.toString(word.ordinal()));
    }

    private String type(Word word) {
        return switch (word) {
            case ALPHA, BETA -> tiles.type();
            case FORM, A, B, C -> "ptr";
            default -> "i64";
        };
    }

    private String get(Word word) {
        return lines.value("load ", type(word), ", ptr ", address(word));
    }

    private void put(Word word, String value) {
        lines.add("store ", type(word), " ", value, ", ptr ", address(word));
    }
}
