package damo.codegen;

import damo.tensor.DType;
import java.util.ArrayList;
import java.util.List;
import java.util.function.BiConsumer;

/**
 * The function {@code damo.product} of docs/decisions/0043-products-and-threads.md for a dtype, all
 * of it by tiles, as a module: it finds out how the operands lie, and has parts of C computed, by
 * several threads where the work is worth it.
 */
final class TiledProduct {
    /** Multiplications of a chunk at least. */
    private static final int GRAIN = 1 << 18;
    /** Such chunks that are worth threads. */
    private static final int WORTH = 4;
    /** Chunks for each thread, so that one that is late holds up no other for long. */
    private static final int CHUNKS = 4;
    /** So many tiles of rows are many for a chunk. */
    private static final int MANY = 4;
    /** Up to so many rows B in panels is read along k where it lies. */
    private static final int FEW_ROWS = 8;
    /** Up to so many tiles above each other, B is read where it lies. */
    private static final int FEW_TILES = 1;
    /** Up to so many terms a transposed A is read where it lies. */
    private static final int FEW_TERMS = 128;

    private final Inputs in;
    private final Tiles tiles;
    private final Lines lines = new Lines();
    private final Whole w = new Whole(lines);
    private final TileJob job;

    private TiledProduct(Inputs in) {
        this.in = in;
        this.tiles = in.tiles();
        this.job = new TileJob(lines, tiles, "%job");
    }

    /** The name of the function, without {@code @}. */
    static String name(Inputs in) {
        return in.tileName("product");
    }

    /** The types of its parameters; {@code {T}} stands for the dtype. */
    static final String PARAMETERS = "i64, i64, i64, {T}, ptr, i64, i64, ptr, i64, i64, {T}, ptr, "
            + "i64, i64, i64, ptr, ptr";

    /** The module: the tiles in texts of their own, as LLVM takes longest for them. */
    static LlvmModule module(Inputs in) {
        int vectorBits = in.tiles().bits();
        Outside outside = new Outside();
        String scratch = Scratch.require(outside, vectorBits);
        String parallel = Parallel.require(outside, vectorBits);
        String few = in.tiles().t().floating() ? ShortProduct.require(outside, in) : null;
        String panels = in.tiles().t().floating() && in.plain()
                ? ShortProduct.requirePanels(outside, in) : null;
        String attributes = Attributes.text(vectorBits);
        String declared = outside.declarations() + declarations(in);
        List<LlvmModule.Text> texts = new ArrayList<>();
        texts.add(new LlvmModule.Text(declared + TilePacking.declarations(in)
                + TileBlocks.declaration(in) + TileBlocks.part(in, scratch)
                + TilePacking.pack(in) + new TiledProduct(in).chunk()
                + new TiledProduct(in).tails() + new TiledProduct(in).product(parallel, few, panels)
                + attributes, LlvmModule.Kind.STEPS));
        texts.add(new LlvmModule.Text(declared + TilePacking.loops(in) + TileBlocks.panel(in)
                + attributes, LlvmModule.Kind.FINISHED));
        kernels(in, (vectors, keeps) -> texts.add(new LlvmModule.Text(TileKernel.text(in, vectors,
                keeps) + attributes, LlvmModule.Kind.FINISHED)));
        return new LlvmModule(texts, outside.externals(), outside.shared());
    }

    private static void kernels(Inputs in, BiConsumer<Integer, Boolean> kernel) {
        for (int vectors = 1; vectors <= Tiles.WIDE; vectors++) {
            kernel.accept(vectors, false);
            if (in.form() == TileForm.BF16_PAIRS) {
                kernel.accept(vectors, true);
            }
        }
    }

    private static String declarations(Inputs in) {
        StringBuilder text = new StringBuilder();
        kernels(in, (vectors, keeps) -> text.append("declare hidden void @")
                .append(TileKernel.name(in, vectors, keeps)).append('(')
                .append(TileKernel.parameters(in.tiles())).append(")\n"));
        return text.toString();
    }

    // ## Chunks

    /** A chunk: some rows and columns of C. */
    private String chunk() {
        String across = job.get(TileJob.Field.ACROSS);
        String rows = job.get(TileJob.Field.ROWS);
        String columns = job.get(TileJob.Field.COLUMNS);
        String i = w.times(w.over("%number", across), rows);
        String j = w.times(w.rest("%number", across), columns);
        part(i, w.least(job.get(TileJob.Field.M), w.plus(i, rows)), j,
                w.least(job.get(TileJob.Field.N), w.plus(j, columns)));
        lines.add("ret void");
        return "define internal void @" + in.tileName("chunk") + "(ptr %job, i64 %number) #2 {\n"
                + lines.text() + "}\n\n";
    }

    /** Rows of a chunk, where those of C were finished side by side. */
    private String tails() {
        String rows = job.get(TileJob.Field.ROWS);
        String i = w.times("%number", rows);
        tail(job.get(TileJob.Field.TAIL), job.get(TileJob.Field.CONTEXT), i,
                w.least(job.get(TileJob.Field.M), w.plus(i, rows)));
        lines.add("ret void");
        return "define internal void @" + in.tileName("tails") + "(ptr %job, i64 %number) #2 {\n"
                + lines.text() + "}\n\n";
    }

    private void part(String i, String iEnd, String j, String jEnd) {
        lines.add("call void @", TileBlocks.name(in), "(ptr %job, i64 ", i, ", i64 ", iEnd,
                ", i64 ", j, ", i64 ", jEnd, ")");
    }

    private void tail(String tail, String context, String from, String to) {
        lines.add("call void ", tail, "(ptr ", context, ", i64 ", from, ", i64 ", to, ")");
    }

    // ## The product

    private String product(String parallel, String few, String panels) {
        lines.slot("%job", "[" + TileJob.WORDS + " x i64]");
        String some = w.both(w.is("sgt", "%m", "0"), w.is("sgt", "%n", "0"));
        String calls = lines.value("icmp ne ptr %tail, null");
        Runnable finished = () -> lines.when(calls, () -> tail("%tail", "%context", "0", "%m"));
        Runnable large = () -> {
            describe();
            split(parallel, calls);
        };
        lines.either(some, () -> lines.either(few == null ? "false" : w.both(w.is("eq", "%panels",
                "0"), ShortProduct.fits(lines, tiles, "%terms")), () -> {
            few(few, "%b.row, i64 %b.col", "");
            finished.run();
        }, () -> {
            if (panels == null) {
                large.run();
            } else {
                lines.either(fewInPanels(), () -> {
                    String turned = w.is("eq", "%b.row", "1");
                    String columns = Integer.toString(tiles.columns());
                    few(panels, w.pick(turned, "1", columns) + ", i64 "
                            + w.pick(turned, columns, "1"), ", i64 " + w.times(w.pick(turned, "%n",
                            "%terms"), columns));
                    finished.run();
                }, large);
            }
        }), () -> lines.when(w.both(calls, w.is("sgt", "%m", "0")),
                () -> tail("%tail", "%context", "0", "%m")));
        lines.add("ret void");
        String type = tiles.type();
        return "define void @" + name(in) + "(i64 %m, i64 %n, i64 %terms, "
                + type + " %factor, ptr %a, i64 %a.row, i64 %a.col, ptr %b, i64 %b.row, "
                + "i64 %b.col, " + type + " %beta, ptr %c, i64 %c.row, i64 %threads, "
                + "i64 %panels, ptr %tail, ptr %context) #0 {\n" + lines.text() + "}\n\n";
    }

    /** What has few rows or columns is not worth packing. */
    private void few(String function, String bStrides, String more) {
        String type = tiles.type();
        lines.add("call void ", function, "(i64 %m, i64 %n, i64 %terms, ", type, " %factor, ptr %a,"
                + " i64 %a.row, i64 %a.col, ptr %b, i64 ", bStrides, ", ", type,
                " %beta, ptr %c, i64 %c.row, i64 %threads", more, ")");
    }

    /**
     * Whether B alone lies in panels, and rows are too few: to turn it for them, or for the sums of
     * a tile to wait for each other.
     */
    private String fewInPanels() {
        String dots = w.both(w.both(w.is("eq", "%b.row", "1"), w.is("eq", "%a.col", "1")),
                w.both(w.is("sle", "%m", Integer.toString(FEW_ROWS)),
                        w.is("sgt", "%terms", Integer.toString(tiles.columns()))));
        String one = w.both(w.is("eq", "%b.col", "1"), w.is("eq", "%m", "1"));
        String line = w.both(one, w.is("ne", "%b.row", "1"));
        return w.both(w.is("eq", "%panels", "2"), w.either(dots, line));
    }

    private String bit(int number) {
        return w.is("ne", lines.value("and i64 %panels, ", Integer.toString(number)), "0");
    }

    /** Fills in the job, but for chunks. A sum of nothing is one of a zero, times no factor. */
    private void describe() {
        String zero = lines.slot("%zero", tiles.type());
        lines.add("store ", tiles.type(), " ", tiles.number(0.0), ", ptr ", zero);
        String none = w.is("slt", "%terms", "1");
        String k = w.most("%terms", "1");
        TileOperand a = TileOperand.of(lines, tiles, "%a", "%m", k, "%a.row", "%a.col", bit(1))
                .unless(lines, none, zero);
        TileOperand b = TileOperand.of(lines, tiles, "%b", "%n", k, "%b.col", "%b.row", bit(2))
                .unless(lines, none, zero);
        a.store(lines, job.a());
        b.store(lines, job.b());
        job.put(TileJob.Field.A_LIES, lies(in.a(), a, w.both(
                w.is("sle", k, Integer.toString(FEW_TERMS)),
                w.is("eq", a.panel(), Integer.toString(tiles.columns())))));
        job.put(TileJob.Field.B_LIES, lies(in.b(), b, w.either(bit(2), w.is("sle", "%m",
                Integer.toString(FEW_TILES * tiles.rows())))));
        job.put(TileJob.Field.M, "%m");
        job.put(TileJob.Field.N, "%n");
        job.put(TileJob.Field.K, k);
        job.put(TileJob.Field.TERMS, terms(k));
        job.put(TileJob.Field.ALPHA, lines.select(none, tiles.type(), tiles.number(0.0),
                "%factor"));
        job.put(TileJob.Field.BETA, "%beta");
        String width = Integer.toString(tiles.columns());
        job.put(TileJob.Field.C, "%c");
        job.put(TileJob.Field.LEAD, w.pick(bit(4), width, "%c.row"));
        job.put(TileJob.Field.PANEL, w.pick(bit(4), w.times("%m", tiles.columns()), width));
        job.put(TileJob.Field.TAIL, "%tail");
        job.put(TileJob.Field.CONTEXT, "%context");
    }

    /** Whether tiles read an operand where it lies, as 1 or 0. */
    private String lies(DType t, TileOperand o, String wanted) {
        if (t != tiles.t()) {
            return "0";
        }
        String lines1 = w.both(w.is("eq", o.unit(), "1"), lines.value("xor i1 ", o.along(),
                ", true"));
        return w.count(w.both(lines1, wanted));
    }

    /** The terms of a block, which follow from k alone: so every sum has one order. */
    private String terms(String k) {
        String blocks = w.pick(w.is("sle", k, Integer.toString(Tiles.TERMS)), "1",
                w.parts(k, Tiles.BLOCK_TERMS));
        return w.times(w.parts(w.parts(k, blocks), tiles.columns()), tiles.columns());
    }

    // ## Threads

    /** What one thread does, or several: rows of chunks first where these are worth it. */
    private void split(String parallel, String calls) {
        String work = w.over(w.times(w.times("%m", "%n"), w.most("%terms", "1")),
                Integer.toString(GRAIN));
        String want = w.least(work, w.times("%threads", CHUNKS));
        String many = w.both(w.is("sgt", "%threads", "1"), w.is("sge", work,
                Integer.toString(WORTH)));
        lines.either(many, () -> chunks(parallel, want, calls), () -> {
            job.put(TileJob.Field.ACROSS, "1");
            part("0", "%m", "0", "%n");
        });
    }

    /**
     * Chunks as square as can be, as each packs its own part of A and of B; all of their columns
     * where rows are many and somebody waits for them. Of few terms, which come from an update of
     * C, chunks are columns, as those of the product that reads C for B: so a thread meets the same
     * part of the matrix in both.
     */
    private void chunks(String parallel, String want, String calls) {
        String rows = w.parts("%m", tiles.rows());
        String panels = w.parts("%n", tiles.columns());
        String whole = w.both(calls, w.is("sge", rows, w.times(want, MANY)));
        String columns = w.both(w.is("sle", "%terms", Integer.toString(FEW_TERMS)),
                w.is("sge", panels, want));
        String down = w.least(rows, w.pick(whole, want, w.pick(columns, "1", w.most("1",
                w.least(want, w.root(w.times(want, "%m"), "%n"))))));
        String across = w.least(panels, w.pick(whole, "1", w.parts(want, down)));
        String height = w.times(w.parts(rows, down), tiles.rows());
        String width = w.times(w.parts(panels, across), tiles.columns());
        chunks(parallel, calls, height, width, w.parts("%n", width));
    }

    private void chunks(String parallel, String calls, String height, String width,
                        String across) {
        job.put(TileJob.Field.ROWS, height);
        job.put(TileJob.Field.COLUMNS, width);
        job.put(TileJob.Field.ACROSS, across);
        run(parallel, "chunk", w.times(w.parts("%m", height), across));
        lines.when(w.both(calls, w.is("ne", across, "1")), () -> {
            String share = w.parts("%m", w.times("%threads", CHUNKS));
            job.put(TileJob.Field.ROWS, share);
            run(parallel, "tails", w.parts("%m", share));
        });
    }

    private void run(String parallel, String body, String chunks) {
        lines.add("call void ", parallel, "(ptr @", in.tileName(body), ", ptr %job, i64 ", chunks,
                ", i64 %threads)");
    }
}
