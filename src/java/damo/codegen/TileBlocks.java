package damo.codegen;

import java.util.List;

/**
 * The function that computes a part of C by tiles: columns in groups whose B is packed at a time, k
 * in blocks, rows in blocks whose A is packed at a time. A panel of B is packed just before its
 * first use. Rows are shared out evenly among tiles.
 */
final class TileBlocks {
    /** Where packing notes how small the numbers of A and of B are. */
    private static final List<String> LEAST = List.of("%least.a", "%least.b");
    /** More than any. */
    private static final String NONE = "65535";
    /** Bytes of {@link Scratch} for A; the rest is for B. */
    private static final int A_BYTES = 1 << 20;
    private static final String PANEL = "ptr %job, i64 %i, i64 %rows, i64 %tile, i64 %tile.end, "
            + "i64 %k, ptr %a, ptr %b, i64 %b.step, i64 %j, i64 %columns, i1 %keeps, ";

    private final Inputs in;
    private final Tiles tiles;
    private final Lines lines = new Lines();
    private final Whole w = new Whole(lines);
    private final Vectors v;
    private final TileJob job;
    private final String columns;

    private TileBlocks(Inputs in) {
        this.in = in;
        this.tiles = in.tiles();
        this.v = new Vectors(lines, tiles.t(), tiles.lanes());
        this.job = new TileJob(lines, tiles, "%job");
        this.columns = Integer.toString(tiles.columns());
    }

    /** The name of the function, without {@code @}. */
    static String name(Inputs in) {
        return in.tileName("part");
    }

    /** The text of the function: rows {@code %i} to {@code %i.end}-1 of C, columns {@code %j} to
     * {@code %j.end}-1, where {@code %j} begins a panel. {@code scratch} gives memory. */
    static String part(Inputs in, String scratch) {
        return new TileBlocks(in).part(scratch);
    }

    /** The text of its innermost part. */
    static String panel(Inputs in) {
        return new TileBlocks(in).panel();
    }

    /** The declaration of that. */
    static String declaration(Inputs in) {
        return "declare hidden void @" + in.tileName("panel") + "(" + PANEL
                + in.type() + " %beta)\n";
    }

    // ## One panel of B

    /** The tiles of a panel of B and a block of A. */
    private String panel() {
        TileRows rows = new TileRows(w, "%rows", tiles.rows());
        String lies = job.get(TileJob.Field.A_LIES);
        String direct = w.is("ne", lies, "0");
        String lead = TileOperand.word(lines, job.a(), 3, "i64");
        String c = v.address(job.get(TileJob.Field.C), w.times(w.over("%j", columns),
                job.get(TileJob.Field.PANEL)));
        String cLead = job.get(TileJob.Field.LEAD);
        String start = rows.start("%tile");
        String alpha = job.get(TileJob.Field.ALPHA);
        String t = lines.fresh();
        lines.loop(t, w.minus("%tile.end", "%tile"), null, () -> {
            String number = w.plus("%tile", t);
            String row = rows.start(number);
            String height = rows.height(number);
            String below = w.minus(row, start);
            String a = v.address("%a", w.pick(direct, below, w.times(below, "%k")));
            String to = v.address(c, w.times(w.plus("%i", row), cLead));
            tile(height, List.of("i64 %k", "ptr " + a, "i64 " + w.pick(direct, lead, height),
                    "ptr %b", "i64 %b.step", "ptr " + to, "i64 " + cLead, "i64 %columns",
                    tiles.type() + " " + alpha, tiles.type() + " %beta"));
        });
        lines.add("ret void");
        return "define hidden void @" + in.tileName("panel") + "(" + PANEL + tiles.type()
                + " %beta) #0 {\n" + lines.text() + "}\n\n";
    }

    /** Calls the function for a tile of that height, for one vector where that is enough. */
    private void tile(String height, List<String> arguments) {
        String all = "(i64 " + height + ", " + String.join(", ", arguments) + ")";
        Runnable usual = () -> tile(all, false);
        if (in.form() == TileForm.BF16_PAIRS) {
            lines.either("%keeps", () -> tile(all, true), usual);
        } else {
            usual.run();
        }
    }

    private void tile(String all, boolean keeps) {
        String narrow = w.is("sle", "%columns", Integer.toString(tiles.lanes()));
        lines.either(narrow, () -> lines.add("call void @", TileKernel.name(in, 1, keeps), all),
                () -> lines.add("call void @", TileKernel.name(in, Tiles.WIDE, keeps), all));
    }

    // ## A part of C

    private String part(String scratch) {
        String room = lines.value("call ptr ", scratch, "(ptr null)");
        LEAST.forEach(slot -> lines.slot(slot, "i64"));
        String terms = job.get(TileJob.Field.TERMS);
        String most = w.over(Integer.toString(Scratch.BYTES - A_BYTES - TilePacking.SLACK),
                w.times(in.form().lines(w, terms), (long) tiles.columns() * tiles.t().bytes()));
        String panels = w.parts(w.minus("%j.end", "%j"), columns);
        String groups = w.parts(panels, most);
        String size = w.times(w.parts(panels, groups), tiles.columns());
        String blocks = w.parts(job.get(TileJob.Field.K), terms);
        String g = lines.fresh();
        lines.loop(g, groups, null, () -> {
            String from = w.plus("%j", w.times(g, size));
            Group group = new Group(room, from, w.least("%j.end", w.plus(from, size)));
            String b = lines.fresh();
            lines.loop(b, blocks, null, () -> terms(group, b, w.both(
                    w.is("eq", w.plus(g, "1"), groups), w.is("eq", w.plus(b, "1"), blocks))));
        });
        lines.add("call ptr ", scratch, "(ptr ", room, ")");
        lines.add("ret void");
        return "define internal void @" + name(in) + "(ptr %job, i64 %i, i64 %i.end, i64 %j, "
                + "i64 %j.end) #0 {\n" + lines.text() + "}\n\n";
    }

    /** Columns of C whose B is packed at a time, and memory for packing. */
    private record Group(String room, String from, String to) { }

    /** A block of terms: all rows in blocks. */
    private void terms(Group group, String number, String last) {
        String terms = job.get(TileJob.Field.TERMS);
        String from = w.times(number, terms);
        String k = w.least(terms, w.minus(job.get(TileJob.Field.K), from));
        String beta = lines.select(w.is("eq", number, "0"), tiles.type(),
                job.get(TileJob.Field.BETA), tiles.number(1.0));
        String count = w.minus("%i.end", "%i");
        TileRows rows = new TileRows(w, count, tiles.rows());
        String blocks = w.parts(rows.tiles(), tiles.blockTiles());
        String size = w.parts(rows.tiles(), blocks);
        String b = lines.fresh();
        lines.loop(b, blocks, null, () -> {
            String first = w.times(b, size);
            String end = w.least(rows.tiles(), w.plus(first, size));
            Block block = new Block(group, from, k, in.form().lines(w, k), beta, count, first, end,
                    w.is("eq", b, "0"));
            String a = packed(block, rows);
            panels(block, a);
            lines.when(last, () -> tail(w.plus("%i", rows.start(first)),
                    w.plus("%i", rows.start(end))));
        });
    }

    /** A block of terms and of tiles; {@code opens} tells that it is the first of these terms. */
    private record Block(Group group, String from, String k, String lines, String beta,
                         String rows, String tile, String end, String opens) { }

    /** Where tiles find A: packed now, or as it lies. */
    private String packed(Block block, TileRows rows) {
        String start = rows.start(block.tile);
        TileOperand o = TileOperand.load(lines, v, job.a());
        String lies = v.address(o.base(), w.plus(w.plus("%i", start),
                w.times(block.from, o.lead())));
        String direct = w.is("ne", job.get(TileJob.Field.A_LIES), "0");
        lines.either(direct, () -> { }, () -> {
            lines.add("store i64 ", NONE, ", ptr ", LEAST.getFirst());
            String t = lines.fresh();
            lines.loop(t, w.minus(block.end, block.tile), null, () -> {
                String number = w.plus(block.tile, t);
                String row = rows.start(number);
                String height = rows.height(number);
                pack(TilePacking.Side.A, w.plus("%i", row), height, block, v.address(
                        block.group.room, w.times(w.minus(row, start), block.lines)), height);
            });
        });
        return lines.select(direct, "ptr", lies, block.group.room);
    }

    private void pack(TilePacking.Side side, String line, String count, Block block, String to,
                      String step) {
        boolean a = side == TilePacking.Side.A;
        lines.add("call void @", TilePacking.name(in, side), "(ptr ", a ? job.a() : job.b(),
                ", i64 ", line, ", i64 ", count, ", i64 ", block.from, ", i64 ", block.k, ", ptr ",
                to, ", i64 ", step, ", ptr ", LEAST.get(a ? 0 : 1), ")");
    }

    private void panels(Block block, String a) {
        TileOperand o = TileOperand.load(lines, v, job.b());
        String direct = w.is("ne", job.get(TileJob.Field.B_LIES), "0");
        String room = lines.value("getelementptr inbounds i8, ptr ", block.group.room, ", i64 ",
                Integer.toString(A_BYTES));
        String count = w.parts(w.minus(block.group.to, block.group.from), columns);
        lines.when(block.opens, () -> lines.add("store i64 ", NONE, ", ptr ", LEAST.getLast()));
        String p = lines.fresh();
        lines.loop(p, count, null, () -> {
            String j = w.plus(block.group.from, w.times(p, tiles.columns()));
            String width = w.least(columns, w.minus(block.group.to, j));
            String packed = v.address(room, w.times(w.times(p, block.lines), tiles.columns()));
            String lies = w.both(direct, w.either(w.is("eq", width, columns),
                    w.is("ne", o.panel(), columns)));
            String packs = w.both(block.opens, lines.value("xor i1 ", lies, ", true"));
            lines.when(packs, () -> pack(TilePacking.Side.B, j, width, block, packed, columns));
            String there = v.address(o.base(), w.plus(w.times(w.over(j, columns), o.panel()),
                    w.times(block.from, o.lead())));
            call(block, a, lines.select(lies, "ptr", there, packed), w.pick(lies, o.lead(),
                    columns), j, width);
        });
    }

    private void call(Block block, String a, String b, String step, String j, String width) {
        lines.add("call void @", in.tileName("panel"), "(", String.join(", ", "ptr %job", "i64 %i",
                "i64 " + block.rows, "i64 " + block.tile, "i64 " + block.end,
                "i64 " + block.lines, "ptr " + a, "ptr " + b, "i64 " + step, "i64 " + j,
                "i64 " + width, "i1 " + keeps(), tiles.type() + " " + block.beta), ")");
    }

    /** Whether subnormal numbers may arise where the usual tiles take them for zeros. */
    private String keeps() {
        if (in.form() != TileForm.BF16_PAIRS) {
            return "false";
        }
        List<String> least = LEAST.stream().map(slot -> lines.value("load i64, ptr ", slot))
                .toList();
        return lines.value("xor i1 ", TilePairs.normal(lines, least.getFirst(), least.getLast()),
                ", true");
    }

    private void tail(String from, String to) {
        String tail = job.get(TileJob.Field.TAIL);
        String calls = w.both(lines.value("icmp ne ptr ", tail, ", null"),
                w.is("eq", job.get(TileJob.Field.ACROSS), "1"));
        lines.when(calls, () -> lines.add("call void ", tail,
                "(ptr ", job.get(TileJob.Field.CONTEXT), ", i64 ", from, ", i64 ", to, ")"));
    }
}
