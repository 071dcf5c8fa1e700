package damo.codegen;

import damo.tensor.DType;
import java.util.ArrayList;
import java.util.List;

/**
 * Products of many matrices, {@code damo.batch}: the parameters of {@code damo.product} without its
 * tail, then the number of loops and their table: for each, the outermost first, its extent and the
 * steps of A, B and C. Chunks of whole products run side by side where there are enough of them,
 * and where none writes what another writes; else one product after the other, each by all threads.
 * Tiny ones are {@link TinyProducts}. Rows times matrices, {@link VectorProducts}, have a function
 * of their own, as one of them alone has: any number of threads gives the same bits.
 */
final class BatchProduct {
    /** Multiplications of a chunk at least. */
    private static final int GRAIN = 1 << 18;
    /** Words of a loop. */
    private static final int LOOP = 4;

    private final Tiles tiles;
    private final VectorProducts rows;
    private final Lines lines = new Lines();
    private final Whole w = new Whole(lines);

    private BatchProduct(Tiles tiles, VectorProducts rows) {
        this.tiles = tiles;
        this.rows = rows;
    }

    /** What a chunk is told: the parameters; products of a chunk, and all of them. */
    private enum Word {
        M, N, K, ALPHA, A, A_ROW, A_COL, B, B_ROW, B_COL, BETA, C, C_ROW, THREADS, PANELS, LOOPS,
        TABLE, SHARE, COUNT;

        String parameter() {
            return "%" + name().toLowerCase(java.util.Locale.ROOT).replace('_', '.');
        }
    }

    private static final List<Word> PRODUCT =
            List.of(Word.values()).subList(0, Word.LOOPS.ordinal());
    private static final List<Word> TINY =
            List.of(Word.values()).subList(0, Word.THREADS.ordinal());
    private static final List<Word> PARAMETERS =
            List.of(Word.values()).subList(0, Word.SHARE.ordinal());

    /**
     * The name (with {@code @}) of the function, which {@code outside} learns of; {@code rows} is
     * null, or what products of a row are.
     */
    static String require(Outside outside, DType t, int vectorBits, VectorProducts rows) {
        BatchProduct p = new BatchProduct(new Tiles(t, vectorBits), rows);
        String name = p.name("batch");
        List<String> types = new ArrayList<>();
        PARAMETERS.forEach(word -> types.add(type(word, p.tiles)));
        outside.share(name, "void @" + name + "(" + String.join(", ", types) + ")", p::module);
        return "@" + name;
    }

    private String name(String what) {
        return rows == null ? tiles.name(what)
                : "damo." + what + "." + rows.name(tiles.t(), tiles.bits()).substring(5);
    }

    private static String type(Word word, Tiles tiles) {
        return switch (word) {
            case ALPHA, BETA -> tiles.type();
            case A, B, C, TABLE -> "ptr";
            default -> "i64";
        };
    }

    private LlvmModule module() {
        Outside outside = new Outside();
        String parallel = Parallel.require(outside, tiles.bits());
        Products products = new Products(outside, new Target(tiles.bits(), false, false),
                LibraryUse.NONE);
        String product = rows == null ? products.requireProduct(tiles.t())
                : products.requireVector(rows, tiles.t());
        Inputs in = Inputs.same(tiles.t(), tiles.bits());
        boolean tiny = rows == null && tiles.t().floating();
        String attributes = Attributes.text(tiles.bits());
        List<LlvmModule.Text> texts = new ArrayList<>();
        texts.add(new LlvmModule.Text(outside.declarations()
                + (tiny ? TinyProducts.declaration(in) : "") + new BatchProduct(tiles, rows).chunk(
                product, tiny ? TinyProducts.name(in) : null)
                + new BatchProduct(tiles, rows).whole(parallel) + attributes,
                LlvmModule.Kind.STEPS));
        if (tiny) {
            texts.add(new LlvmModule.Text(TinyProducts.text(in) + attributes,
                    LlvmModule.Kind.LOOPS));
        }
        return new LlvmModule(texts, outside.externals(), outside.shared());
    }

    // ## All products

    private String whole(String parallel) {
        lines.slot("%job", "[" + Word.values().length + " x i64]");
        PARAMETERS.forEach(word -> put(word, word.parameter()));
        String count = lines.slot("%count", "i64");
        String span = lines.slot("%span", "i64");
        String apart = lines.slot("%apart", "i1");
        set(count, "i64", "1");
        set(span, "i64", w.plus(w.times(w.minus("%m", "1"), "%c.row"), "%n"));
        set(apart, "i1", "true");
        String loop = lines.fresh();
        lines.loop(loop, "%loops", null, () -> {
            String table = loop(w.minus(w.minus("%loops", "1"), loop));
            String extent = word(table, 0);
            String step = word(table, 3);
            set(count, "i64", w.times(get(count, "i64"), extent));
            set(apart, "i1", w.both(get(apart, "i1"), w.either(w.is("sle", extent, "1"),
                    w.is("sge", step, get(span, "i64")))));
            set(span, "i64", w.plus(get(span, "i64"), w.times(w.minus(extent, "1"), step)));
        });
        run(parallel, get(count, "i64"), get(apart, "i1"));
        lines.add("ret void");
        List<String> parameters = new ArrayList<>();
        PARAMETERS.forEach(p -> parameters.add(type(p, tiles) + " " + p.parameter()));
        return "define void @" + name("batch") + "(" + String.join(", ", parameters)
                + ") #0 {\n" + lines.text() + "}\n\n";
    }

    private void run(String parallel, String count, String apart) {
        String work = w.most("1", w.times(w.times("%m", "%n"), w.most("1", "%k")));
        String share = w.parts(Integer.toString(GRAIN), work);
        String many = w.both(w.both(apart, w.is("sgt", "%threads", "1")), w.both(
                w.is("sge", count, "%threads"), w.is("sgt", count, share)));
        put(Word.COUNT, count);
        put(Word.SHARE, w.pick(many, share, count));
        put(Word.THREADS, w.pick(many, "1", "%threads"));
        String body = "@" + name("batch.chunk");
        String some = w.is("sgt", count, "0");
        lines.when(some, () -> lines.either(many, () -> lines.add("call void ", parallel, "(ptr ",
                body, ", ptr %job, i64 ", w.parts(count, share), ", i64 %threads)"),
                () -> lines.add("call void ", body, "(ptr %job, i64 0)")));
    }

    // ## Some of them

    private String chunk(String product, String tiny) {
        String share = get(Word.SHARE);
        String from = w.times("%number", share);
        String count = w.least(share, w.minus(get(Word.COUNT), from));
        List<String> offsets = List.of(lines.slot("%a.at", "i64"), lines.slot("%b.at", "i64"),
                lines.slot("%c.at", "i64"));
        String left = lines.slot("%left", "i64");
        lines.add("%table = getelementptr inbounds i8, ptr ", get(Word.TABLE), ", i64 0");
        Runnable each = () -> {
            String p = lines.fresh();
            lines.loop(p, count, null, () -> {
                place(w.plus(from, p), left, offsets);
                call(product, offsets, rows == null ? PRODUCT : row(), "",
                        rows == null ? ", ptr null, ptr null" : "");
            });
        };
        if (tiny == null) {
            each.run();
        } else {
            lines.either(tiny(), () -> runs(tiny, from, count, left, offsets), each);
        }
        lines.add("ret void");
        return "define internal void @" + name("batch.chunk")
                + "(ptr %job, i64 %number) #2 {\n" + lines.text() + "}\n\n";
    }

    private String tiny() {
        return w.both(w.both(w.is("eq", get(Word.PANELS), "0"), orderly()),
                TinyProducts.fits(lines, tiles, new TinyProducts.Sizes(get(Word.M), get(Word.N),
                        get(Word.K), get(Word.B_ROW), get(Word.B_COL))));
    }

    /**
     * Whether a tile may go from matrix to matrix before the next one does: they are the same, or
     * share nothing.
     */
    private String orderly() {
        String inner = loop(w.minus(get(Word.LOOPS), "1"));
        String step = word(inner, 3);
        return w.either(w.either(w.is("sle", word(inner, 0), "1"), w.is("eq", step, "0")),
                w.is("sge", step, w.plus(w.times(w.minus(get(Word.M), "1"), get(Word.C_ROW)),
                        get(Word.N))));
    }

    /** Products in runs of the innermost loop, each run by one call. */
    private void runs(String tiny, String from, String count, String left, List<String> offsets) {
        String done = lines.slot("%done", "i64");
        set(done, "i64", "0");
        String run = lines.freshLabel("run");
        String after = lines.freshLabel("after");
        lines.add("br label %", run);
        lines.label(run);
        String number = w.plus(from, get(done, "i64"));
        place(number, left, offsets);
        String inner = loop(w.minus(get(Word.LOOPS), "1"));
        String extent = word(inner, 0);
        String length = w.least(w.minus(count, get(done, "i64")), w.minus(extent, w.rest(number,
                extent)));
        call(tiny, offsets, TINY, "i64 " + length + ", i64 " + word(inner, 1) + ", i64 "
                + word(inner, 2) + ", i64 " + word(inner, 3) + ", ", "");
        set(done, "i64", w.plus(get(done, "i64"), length));
        lines.add("br i1 ", w.is("slt", get(done, "i64"), count), ", label %", run, ", label %",
                after);
        lines.label(after);
    }

    /** Finds where the matrices of a product begin: its number has a digit for each loop. */
    private void place(String number, String left, List<String> offsets) {
        set(left, "i64", number);
        offsets.forEach(offset -> set(offset, "i64", "0"));
        String loops = get(Word.LOOPS);
        String loop = lines.fresh();
        lines.loop(loop, loops, null, () -> {
            String words = loop(w.minus(w.minus(loops, "1"), loop));
            String extent = word(words, 0);
            String rest = get(left, "i64");
            String digit = w.rest(rest, extent);
            set(left, "i64", w.over(rest, extent));
            for (int i = 0; i < offsets.size(); i++) {
                set(offsets.get(i), "i64", w.plus(get(offsets.get(i), "i64"),
                        w.times(digit, word(words, i + 1))));
            }
        });
    }

    /** What a product of a row is told. */
    private List<Word> row() {
        return List.of(Word.N, Word.K, Word.ALPHA, Word.A, Word.A_COL, Word.B,
                rows.dots() ? Word.B_COL : Word.B_ROW, Word.BETA, Word.C, Word.THREADS);
    }

    private void call(String function, List<String> offsets, List<Word> words, String before,
                      String after) {
        List<String> arguments = new ArrayList<>();
        for (Word word : words) {
            String value = get(word);
            int matrix = List.of(Word.A, Word.B, Word.C).indexOf(word);
            arguments.add(type(word, tiles) + " " + (matrix < 0 ? value
                    : lines.value("getelementptr inbounds ", tiles.type(), ", ptr ", value,
                            ", i64 ", get(offsets.get(matrix), "i64"))));
        }
        lines.add("call void ", function, "(", before, String.join(", ", arguments), after, ")");
    }

    // ## Words

    /** The words of a loop. */
    private String loop(String number) {
        return lines.value("getelementptr inbounds i64, ptr %table, i64 ", w.times(number, LOOP));
    }

    private String word(String words, int number) {
        return TileOperand.word(lines, words, number, "i64");
    }

    private String get(Word word) {
        return TileOperand.word(lines, "%job", word.ordinal(), type(word, tiles));
    }

    private void put(Word word, String value) {
        TileOperand.put(lines, "%job", word.ordinal(), type(word, tiles), value);
    }

    private String get(String slot, String type) {
        return lines.value("load ", type, ", ptr ", slot);
    }

    private void set(String slot, String type, String value) {
        lines.add("store ", type, " ", value, ", ptr ", slot);
    }
}
