package damo.codegen;

import damo.tensor.DType;
import java.util.ArrayList;
import java.util.List;

/**
 * The rows of a {@link OnePass} in blocks, which threads share. The blocks follow from sizes alone,
 * and are those of every pass over the matrix, whichever way its product sums: so a thread meets
 * the same rows in one pass after the other, and finds them in its own cache. Where the product
 * sums over rows each block has a sum of its own, in memory; two neighbours are added when both are
 * there, then their sum to that of the next two: so the order of the sum is that of a tree, whoever
 * adds.
 */
final class PassBlocks {
    /** Bytes of W that are worth a block, as a power of two; rows as well. */
    private static final int BYTES_LOG = 17;
    private static final int ROWS_LOG = 5;
    /** Blocks at most. */
    private static final int MOST = 16;
    /** Blocks that are worth more than one thread. */
    private static final int SEVERAL = 8;
    /** Longer rows are cut, rather than added up in blocks. */
    private static final int LONG = 1 << 14;
    /** Elements of a piece of such a row. */
    private static final int PIECE = 1 << 12;

    private final DType t;
    private final int lanes;
    private final int unit;
    private final boolean sums;
    private final String name;
    private final List<String> words;
    private Lines lines;
    private Whole w;
    private Vectors v;

    PassBlocks(DType t, int vectorBits, boolean sums) {
        this.t = t;
        this.lanes = vectorBits / Types.bits(t);
        this.unit = OnePass.unit(t, vectorBits, sums);
        this.sums = sums;
        this.name = OnePass.name(t, vectorBits, sums);
        this.words = OnePass.words(t);
    }

    /** What a block is told besides the words of a pass; counts of sums that are there follow. */
    private enum Word {
        BLOCKS, SUMS, APART;

        String parameter() {
            return "%" + name().toLowerCase(java.util.Locale.ROOT);
        }

        String type() {
            return this == SUMS ? "ptr" : "i64";
        }
    }

    /** The function for all rows, and those that it needs besides the parts. */
    String text(String parallel, String scratch) {
        StringBuilder text = new StringBuilder();
        if (sums) {
            text.append(meet()).append(piece());
        }
        return text.append(block()).append(all(parallel, scratch)).toString();
    }

    private void begin() {
        lines = new Lines();
        w = new Whole(lines);
        v = new Vectors(lines, t, lanes);
    }

    // ## All rows

    private String all(String parallel, String scratch) {
        begin();
        lines.slot("%job", "[" + (words.size() + Word.values().length + MOST) + " x i64]");
        lines.add("%blocks = add i64 0, ", blocks());
        String threads = lines.select(w.is("sge", sums ? bytes() : "%blocks", Integer.toString(
                sums ? SEVERAL << BYTES_LOG : SEVERAL)), "i64", "%threads", "1");
        for (int i = 0; i < words.size(); i++) {
            lines.add("store ", words.get(i), ", ptr ", word(i));
        }
        lines.add("store i64 %blocks, ptr ", word(Word.BLOCKS));
        if (sums) {
            sums(parallel, scratch, threads);
        } else {
            blocks(parallel, threads);
        }
        lines.add("ret void");
        return "define void @" + name + "(" + String.join(", ", words) + ", i64 %threads) #0 {\n"
                + lines.text() + "}\n";
    }

    private void sums(String parallel, String scratch, String threads) {
        String one = w.either(w.is("eq", "%blocks", "1"), lines.value("icmp eq ptr %y, null"));
        String wide = w.is("sgt", "%columns", Integer.toString(LONG));
        lines.either(wide, () -> lines.add("call void ", parallel, "(ptr @", name,
                ".piece, ptr %job, i64 ", w.parts("%columns", PIECE), ", i64 ", threads, ")"),
                () -> lines.either(one, () -> {
                    lines.add("store ptr null, ptr ", word(Word.SUMS));
                    blocks(parallel, threads);
                }, () -> {
                    String room = lines.value("call ptr ", scratch, "(ptr null)");
                    lines.add("store ptr ", room, ", ptr ", word(Word.SUMS));
                    // Who waits for this block of memory waits for parts of passes, which end
                    // without one. Sums of two threads have no line of memory together.
                    lines.add("store i64 ", w.times(w.parts("%columns", 2L * lanes), 2L * lanes),
                            ", ptr ", word(Word.APART));
                    lines.add("call void @llvm.memset.p0.i64(ptr ", count("0"), ", i8 0, i64 ",
                            Integer.toString(MOST * Long.BYTES), ", i1 false)");
                    blocks(parallel, threads);
                    lines.add("call ptr ", scratch, "(ptr ", room, ")");
                }));
    }

    private void blocks(String parallel, String threads) {
        lines.add("call void ", parallel, "(ptr @", name, ".block, ptr %job, i64 %blocks, i64 ",
                threads, ")");
    }

    /** The greatest power of two of blocks that are worth it. */
    private String blocks() {
        String least = w.least(w.least(lines.value("lshr i64 ", bytes(), ", ",
                Integer.toString(BYTES_LOG)), lines.value("lshr i64 %rows, ",
                Integer.toString(ROWS_LOG))), Integer.toString(MOST));
        String zeros = lines.value("call i64 @llvm.ctlz.i64(i64 ", w.most(least, "1"),
                ", i1 true)");
        return lines.value("lshr i64 ", Long.toString(Long.MIN_VALUE), ", ", zeros);
    }

    private String bytes() {
        return w.times(w.times("%rows", "%columns"), t.bytes());
    }

    /** Where a block begins: rows are taken so many at a time. */
    private String start(String number) {
        String units = w.parts("%rows", unit);
        return w.least("%rows", w.times(w.over(w.times(number, units), "%blocks"), unit));
    }

    // ## Parts of it

    private String word(int i) {
        return lines.value("getelementptr inbounds i64, ptr %job, i64 ", Integer.toString(i));
    }

    private String word(Word word) {
        return word(words.size() + word.ordinal());
    }

    private String count(String node) {
        return lines.value("getelementptr inbounds i64, ptr ", word(words.size()
                + Word.values().length), ", i64 ", node);
    }

    /** Gives the words their names in a part. */
    private void load(Word... more) {
        for (int i = 0; i < words.size(); i++) {
            String[] word = words.get(i).split(" ");
            lines.add(word[1], " = load ", word[0], ", ptr ", word(i));
        }
        for (Word word : more) {
            lines.add(word.parameter(), " = load ", word.type(), ", ptr ", word(word));
        }
    }

    private String head(String part) {
        return "define internal void @" + name + part + "(ptr %job, i64 %number) #2 {\n"
                + lines.text() + "}\n";
    }

    private String block() {
        begin();
        if (sums) {
            load(Word.BLOCKS, Word.SUMS, Word.APART);
        } else {
            load(Word.BLOCKS);
        }
        String from = start("%number");
        String to = start(w.plus("%number", "1"));
        if (sums) {
            String own = lines.value("icmp ne ptr %sums, null");
            String y = lines.select(own, "ptr", v.address("%sums", w.times("%number", "%apart")),
                    "%y");
            String beta = lines.select(own, v.element(), Types.floating(0.0), "%beta");
            String a = lines.select(lines.value("icmp eq ptr %a, null"), "ptr", "null",
                    v.address("%a", w.times(from, "%a.step")));
            List<String> moved = new ArrayList<>(words);
            put(moved, "%rows", w.minus(to, from));
            put(moved, "%a", a);
            put(moved, "%w", v.address("%w", w.times(from, "%lead")));
            put(moved, "%x", v.address("%x", w.times(from, "%x.step")));
            put(moved, "%beta", beta);
            put(moved, "%y", y);
            OnePass.call(lines, name, moved, "%a", "%y", "0", "%columns");
            lines.when(own, () -> lines.add("call void @", name,
                    ".meet(ptr %job, i64 %number)"));
        } else {
            OnePass.call(lines, name, words, "%a", "%y", from, to);
        }
        lines.add("ret void");
        return head(".block");
    }

    private static void put(List<String> words, String name, String value) {
        words.replaceAll(word -> word.endsWith(" " + name) ? word.replace(name, value) : word);
    }

    /** Columns of long rows. */
    private String piece() {
        begin();
        load();
        String from = w.times("%number", PIECE);
        OnePass.call(lines, name, words, "%a", "%y", from, w.least("%columns", w.plus(from,
                Integer.toString(PIECE))));
        lines.add("ret void");
        return head(".piece");
    }

    // ## Sums of blocks

    /**
     * Adds the sum of a block to that of its neighbour, and so on, as far as the neighbour is
     * there: node i of the tree has the children 2 i and 2 i + 1.
     */
    private String meet() {
        begin();
        load(Word.BLOCKS, Word.SUMS, Word.APART);
        String leaf = w.plus("%number", "%blocks");
        String before = lines.freshLabel("before");
        String up = lines.freshLabel("up");
        String root = lines.freshLabel("root");
        String inner = lines.freshLabel("inner");
        String both = lines.freshLabel("both");
        String joined = lines.freshLabel("joined");
        String early = lines.freshLabel("early");
        lines.add("br label %", before);
        lines.label(before);
        lines.add("br label %", up);
        lines.label(up);
        lines.add("%node = phi i64 [ ", leaf, ", %", before, " ], [ %parent, %", joined, " ]");
        lines.add("%span = phi i64 [ 1, %", before, " ], [ %wider, %", joined, " ]");
        lines.add("br i1 ", w.is("eq", "%node", "1"), ", label %", root, ", label %", inner);
        lines.label(inner);
        lines.add("%parent = lshr i64 %node, 1");
        lines.add("%wider = shl i64 %span, 1");
        String came = lines.value("atomicrmw add ptr ", count("%parent"),
                ", i64 1 acq_rel, align 8");
        lines.add("br i1 ", w.is("eq", came, "0"), ", label %", early, ", label %", both);
        lines.label(early);
        lines.add("ret void");
        lines.label(both);
        String left = lines.value("and i64 %number, ", w.minus("0", "%wider"));
        String to = v.address("%sums", w.times(left, "%apart"));
        String more = v.address("%sums", w.times(w.plus(left, "%span"), "%apart"));
        each((i, mask) -> v.store(v.plus(v.load(v.address(to, i), mask),
                v.load(v.address(more, i), mask)), v.address(to, i), mask));
        lines.add("br label %", joined);
        lines.label(joined);
        lines.add("br label %", up);
        lines.label(root);
        finish();
        lines.add("ret void");
        return head(".meet");
    }

    /** y of the sum of all blocks. */
    private void finish() {
        String reads = lines.value("fcmp une ", v.element(), " %beta, ", Types.floating(0.0));
        lines.either(reads, () -> each((i, mask) -> v.store(v.plus(v.times(v.splat("%beta"),
                v.load(v.address("%y", i), mask)), v.load(v.address("%sums", i), mask)),
                v.address("%y", i), mask)), () -> each((i, mask) -> v.store(
                        v.load(v.address("%sums", i), mask), v.address("%y", i), mask)));
    }

    /** What is done with the vector at an index, under a mask that may be null. */
    private interface Part {
        void write(String index, String mask);
    }

    /** Does it for a whole row. */
    private void each(Part part) {
        String whole = w.over("%columns", Integer.toString(lanes));
        String end = w.times(whole, lanes);
        String left = w.minus("%columns", end);
        String i = lines.fresh();
        lines.loop(i, whole, null, () -> part.write(w.times(i, lanes), null));
        lines.when(w.is("sgt", left, "0"), () -> part.write(end, v.below(left)));
    }
}
