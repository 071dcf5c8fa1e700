package damo.codegen;

import damo.program.Size;
import damo.program.Step;
import damo.tensor.DType;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;

/**
 * Products C[m n] = alpha A[m k] B[k n] + beta C of few rows, few columns or one term, as a
 * function with the parameters of {@code damo.gemm}: operands are used too few times to be copied
 * before, and are read where they lie. docs/decisions/0045-short-products.md.
 */
final class ShortProduct {
    /** Rows of C that are few: a tile. */
    private static final int ROWS = 12;
    /** Columns of one row that stay near while rows of B are added to them. */
    private static final int LINE = 1 << 13;
    /** Columns of a chunk of one row: more than {@link RowProduct} adds in another order. */
    private static final int LINE_UNIT = 1 << 8;
    /** Multiplications of a chunk, where each takes an element from memory. */
    private static final int LINE_GRAIN = 1 << 16;
    /** The same where elements are used several times. */
    private static final int GRAIN = 1 << 18;
    /** Chunks that are worth threads. */
    private static final int WORTH = 4;
    /** Rows, and strips of columns, of which a chunk has a multiple. */
    private static final int CHUNK_ROWS = 48;
    private static final int CHUNK_STRIPS = 1;
    private static final String PANELS = "short.panels";

    private final Inputs in;
    private final Tiles tiles;
    private final Lines lines = new Lines();
    private final Whole w = new Whole(lines);

    private ShortProduct(Inputs in) {
        this.in = in;
        this.tiles = in.tiles();
    }

    /** The types of its parameters, those of {@code damo.gemm}; {@code {T}} is that of C. */
    static final String TYPES = "i64, i64, i64, {T}, ptr, i64, i64, ptr, i64, i64, {T}, ptr, i64, "
            + "i64";

    /** Its parameters, with their names. */
    static String parameters(Inputs in) {
        return "i64 %m, i64 %n, i64 %k, " + in.type() + " %factor, ptr %a, i64 %a.row, i64 %a.col, "
                + "ptr %b, i64 %b.row, i64 %b.col, " + in.type() + " %beta, ptr %c, i64 %c.row, "
                + "i64 %threads";
    }

    /** The name (with {@code @}) of the function, which {@code outside} learns of. */
    static String require(Outside outside, Inputs in) {
        String name = in.name("short");
        outside.share(name, "void @" + name + "(" + TYPES.replace("{T}", in.type()) + ")",
                () -> module(in));
        return "@" + name;
    }

    /**
     * The name of one that multiplies by a matrix in panels, or by its transposed one: its strides
     * are those in a panel, and the parameters end with the step from a panel to the next.
     */
    static String requirePanels(Outside outside, Inputs in) {
        String name = in.name(PANELS);
        outside.share(name, "void @" + name + "(" + TYPES.replace("{T}", in.type()) + ", i64)",
                () -> module(in));
        return "@" + name;
    }

    /** The same for one dtype. */
    static String require(Outside outside, DType t, int vectorBits) {
        return require(outside, Inputs.same(t, vectorBits));
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
        return w.either(w.both(few, dots), w.both(w.is("eq", "%b.col", "1"), w.either(few,
                w.is("eq", k, "1"))));
    }

    /** Whether it is known when a step is written that this computes it. */
    static boolean fits(Step.Gemm g, Tiles tiles) {
        Size one = new Size.Int(1);
        boolean narrow = g.n() instanceof Size.Int n && n.value() <= tiles.columns();
        return g.b().colStride().equals(one) && (narrow || g.k().equals(one));
    }

    /** The module with the function and all that it calls. */
    private static LlvmModule module(Inputs in) {
        Outside outside = new Outside();
        String parallel = Parallel.require(outside, in.tiles().bits());
        String text = outside.declarations() + new ShortProduct(in).chunk()
                + new ShortProduct(in).whole(parallel, false)
                + (in.plain() ? new ShortProduct(in).whole(parallel, true) : "")
                + ShortTiles.text(in)
                + Attributes.text(in.tiles().bits());
        return new LlvmModule(List.of(new LlvmModule.Text(text, LlvmModule.Kind.LOOPS)),
                outside.externals(), outside.shared());
    }

    // ## The function

    private String whole(String parallel, boolean panels) {
        lines.slot("%job", "[" + Word.values().length + " x i64]");
        lines.when(w.both(w.is("sgt", "%m", "0"), w.is("sgt", "%n", "0")), () -> {
            Map<Word, String> all = arguments(panels);
            String many = w.both(w.is("sgt", "%threads", "1"), w.is("sgt", w.times("%m",
                    w.times("%n", w.most("%k", "1"))), w.times(grain(), WORTH)));
            lines.either(many, () -> {
                all.forEach(this::put);
                chunks();
                lines.add("call void ", parallel, "(ptr @", in.name("short.chunk"),
                        ", ptr %job, i64 ", w.times(count("%m", get(Word.ROWS)), count("%n",
                                get(Word.COLUMNS))), ", i64 %threads)");
            }, () -> call(all));
        });
        lines.add("ret void");
        return "define void @" + in.name(panels ? PANELS : "short") + "(" + parameters(in)
                + (panels ? ", i64 %b.panel" : "") + ") #0 {\n" + lines.text() + "}\n\n";
    }

    /** What the form is told that computes it. */
    private Map<Word, String> arguments(boolean panels) {
        String rows = w.is("eq", "%b.col", "1");
        Map<Word, String> all = new EnumMap<>(Word.class);
        all.put(Word.FORM, panels ? pick(rows, function("rows"), function("dots"))
                : form(rows));
        all.put(Word.M, "%m");
        all.put(Word.N, "%n");
        all.put(Word.K, "%k");
        // A sum of nothing is 0, whatever the factor is.
        all.put(Word.ALPHA, lines.select(w.is("sgt", "%k", "0"), tiles.type(), "%factor",
                Types.floating(0.0)));
        all.put(Word.A, "%a");
        all.put(Word.A_ROW, "%a.row");
        all.put(Word.A_COL, "%a.col");
        all.put(Word.B, "%b");
        all.put(Word.B_ROW, w.pick(rows, "%b.row", "%b.col"));
        all.put(Word.B_STRIP, w.pick(rows, panels ? "%b.panel" : Integer.toString(tiles.columns()),
                w.times("%b.col", tiles.columns())));
        all.put(Word.BETA, "%beta");
        all.put(Word.C, "%c");
        all.put(Word.C_ROW, "%c.row");
        all.put(Word.JUMP, panels ? w.minus("%b.panel", Integer.toString(tiles.columns())) : "0");
        return all;
    }

    private String form(String rows) {
        String line = w.is("eq", "%m", "1");
        String near = w.both(line, w.is("sle", "%n", Integer.toString(LINE)));
        String few = w.both(w.is("sle", "%m", Integer.toString(ShortTiles.fewRows())),
                w.is("sle", "%n", Integer.toString(tiles.lanes())));
        // A row that is shorter than a vector would be read under a mask while the one before is
        // still on its way to memory, and wait for it: tiles read several rows, then write them.
        String outer = w.both(w.is("eq", "%k", "1"), w.is("sgt", "%n",
                Integer.toString(tiles.columns())));
        return pick(rows, pick(outer, function("outer"), pick(near,
                function("line"), pick(few, function("few"), function("rows")))),
                pick(line, function("line.dots"), function("dots")));
    }

    private String function(String name) {
        return "@" + in.name(name);
    }

    private String pick(String condition, String yes, String no) {
        return lines.select(condition, "ptr", yes, no);
    }

    /**
     * Rows and columns of a chunk follow from sizes alone: all of the one that is few.
     */
    private void chunks() {
        String line = w.is("eq", "%m", "1");
        String down = w.either(w.is("sgt", "%m", "%n"), w.both(w.is("eq", "%k", "1"),
                w.is("sgt", "%m", Integer.toString(ROWS))));
        String work = w.times(w.most("%k", "1"), w.pick(down, "%n", "%m"));
        String grain = grain();
        String unit = w.pick(down, Integer.toString(CHUNK_ROWS), w.pick(line,
                Integer.toString(LINE_UNIT), Integer.toString(CHUNK_STRIPS * tiles.columns())));
        String length = w.times(w.parts(w.parts(grain, work), unit), unit);
        put(Word.ROWS, w.pick(down, length, "%m"));
        put(Word.COLUMNS, w.pick(down, "%n", length));
    }

    private String grain() {
        String low = w.either(w.is("eq", "%m", "1"), w.is("sle", "%k", "1"));
        return w.pick(low, Integer.toString(LINE_GRAIN), Integer.toString(GRAIN));
    }

    /** The last one takes what is left, so that none is so small that its form sees to it. */
    private String count(String size, String chunk) {
        return w.most("1", w.over(size, chunk));
    }

    private String length(String size, String chunk, String number) {
        String from = w.times(number, chunk);
        return w.pick(w.is("eq", w.plus(number, "1"), count(size, chunk)), w.minus(size, from),
                chunk);
    }

    // ## A chunk

    /** What a chunk is told: a form, its arguments in their order, and how large chunks are. */
    private enum Word {
        FORM, M, N, K, ALPHA, A, A_ROW, A_COL, B, B_ROW, B_STRIP, BETA, C, C_ROW,
        /** What a panel of B is apart from the next, less its columns. */
        JUMP,
        /** Rows and columns of a chunk. */
        ROWS, COLUMNS
    }

    private String chunk() {
        String rows = get(Word.ROWS);
        String columns = get(Word.COLUMNS);
        Map<Word, String> part = new EnumMap<>(Word.class);
        for (Word word : Word.values()) {
            part.put(word, get(word));
        }
        String across = count(part.get(Word.N), columns);
        String down = w.over("%number", across);
        String along = w.rest("%number", across);
        String i = w.times(down, rows);
        String j = w.times(along, columns);
        String strip = w.over(j, Integer.toString(tiles.columns()));
        part.computeIfPresent(Word.M, (word, m) -> length(m, rows, down));
        part.computeIfPresent(Word.N, (word, n) -> length(n, columns, along));
        part.computeIfPresent(Word.A, (word, a) -> in.a(lines).address(a, w.times(i,
                part.get(Word.A_ROW))));
        part.computeIfPresent(Word.B, (word, b) -> in.b(lines).address(b, w.times(strip,
                part.get(Word.B_STRIP))));
        part.computeIfPresent(Word.C, (word, c) -> in.c(lines).address(c, w.plus(w.times(i,
                part.get(Word.C_ROW)), j)));
        call(part);
        lines.add("ret void");
        return "define internal void @" + in.name("short.chunk")
                + "(ptr %job, i64 %number) #2 {\n" + lines.text() + "}\n\n";
    }

    private void call(Map<Word, String> all) {
        String arguments = all.keySet().stream().filter(word -> word != Word.FORM
                && word.compareTo(Word.JUMP) < 0).map(word -> type(word) + " " + all.get(word))
                .collect(Collectors.joining(", "));
        lines.add("call void ", all.get(Word.FORM), "(", arguments, ", i64 ",
                Integer.toString(tiles.columns()), ", i64 ", all.get(Word.JUMP), ")");
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
