package damo.codegen;

import java.util.List;

/**
 * Products of f32 whose A or B lies in memory as f16 or bf16, as a function with the parameters of
 * {@code damo.gemm}. Short ones widen elements where they are loaded. Of others a block of each
 * operand at a time is widened to memory, where it is used many times.
 */
final class MixedProduct {
    /** Terms, columns and rows of a block: those of B and of A fit scratch memory. */
    private static final int TERMS = 512;
    private static final int COLUMNS = 1024;
    private static final int ROWS = 512;

    private final Inputs in;
    private final Lines lines = new Lines();
    private final Whole w = new Whole(lines);
    private final String product;

    private MixedProduct(Inputs in, String product) {
        this.in = in;
        this.product = product;
    }

    /** The name (with {@code @}) of the function, which {@code outside} learns of. */
    static String require(Outside outside, Inputs in, String product) {
        String name = in.name("mixed");
        outside.share(name, "void @" + name + "(" + ShortProduct.TYPES.replace("{T}", in.type())
                + ")", () -> module(in, product));
        return "@" + name;
    }

    private static LlvmModule module(Inputs in, String product) {
        Outside outside = new Outside();
        int bits = in.tiles().bits();
        String few = ShortProduct.require(outside, in);
        String scratch = Scratch.require(outside, bits);
        outside.share(product, "void @" + product + "(" + TiledProduct.PARAMETERS.replace("{T}",
                in.type()) + ")", () -> TiledProduct.module(in.tiles().t(), bits));
        String text = outside.declarations() + new MixedProduct(in, product).whole(few, scratch)
                + new MixedProduct(in, product).widen("a")
                + new MixedProduct(in, product).widen("b") + Attributes.text(bits);
        return new LlvmModule(List.of(new LlvmModule.Text(text, LlvmModule.Kind.LOOPS)),
                outside.externals(), outside.shared());
    }

    private String whole(String few, String scratch) {
        lines.either(ShortProduct.fits(lines, in.tiles(), "%k"), () -> lines.add("call void ", few,
                "(", ShortProduct.parameters(in), ")"), () -> {
            String block = lines.value("call ptr ", scratch, "(ptr null)");
            blocks(block);
            lines.value("call ptr ", scratch, "(ptr ", block, ")");
        });
        lines.add("ret void");
        return "define void @" + in.name("mixed") + "(" + ShortProduct.parameters(in) + ") #0 {\n"
                + lines.text() + "}\n\n";
    }

    /** A product of no terms is one block too, which writes C. */
    private void blocks(String block) {
        String j = lines.fresh();
        lines.loop(j, w.parts("%n", COLUMNS), null, () -> {
            String column = w.times(j, COLUMNS);
            String width = w.least(Integer.toString(COLUMNS), w.minus("%n", column));
            String l = lines.fresh();
            lines.loop(l, w.most("1", w.parts("%k", TERMS)), null, () -> {
                String term = w.times(l, TERMS);
                String terms = w.most("0", w.least(Integer.toString(TERMS), w.minus("%k", term)));
                Part b = part("b", block, term, column, terms, width);
                String i = lines.fresh();
                lines.loop(i, w.parts("%m", ROWS), null, () -> {
                    String row = w.times(i, ROWS);
                    String height = w.least(Integer.toString(ROWS), w.minus("%m", row));
                    Part a = part("a", in.c(lines).address(block, Integer.toString(TERMS
                            * COLUMNS)), row, term, height, terms);
                    String beta = lines.select(w.is("eq", l, "0"), in.type(), "%beta",
                            Types.floating(1.0));
                    String c = in.c(lines).address("%c", w.plus(w.times(row, "%c.row"), column));
                    lines.add("call void @", product, "(i64 ", height, ", i64 ", width, ", i64 ",
                            terms, ", ", in.type(), " %factor, ", a.text(), ", ", b.text(), ", ",
                            in.type(), " ", beta, ", ptr ", c, ", i64 %c.row, i64 %threads, i64 0,",
                            " ptr null, ptr null)");
                });
            });
        });
    }

    /** A matrix in memory. */
    private record Part(String start, String row, String col) {
        String text() {
            return "ptr " + start + ", i64 " + row + ", i64 " + col;
        }
    }

    private Vectors values(String operand) {
        return operand.equals("a") ? in.a(lines) : in.b(lines);
    }

    private boolean stored(String operand) {
        return (operand.equals("a") ? in.a() : in.b()).storage();
    }

    /** So many rows and columns of an operand from an element on: as they lie, or widened. */
    private Part part(String operand, String to, String i, String j, String rows, String columns) {
        String row = "%" + operand + ".row";
        String col = "%" + operand + ".col";
        String start = values(operand).address("%" + operand, w.plus(w.times(i, row),
                w.times(j, col)));
        if (!stored(operand)) {
            return new Part(start, row, col);
        }
        String along = w.either(w.is("eq", col, "1"), w.is("sle", columns, "1"));
        String length = w.pick(along, columns, rows);
        lines.add("call void @", in.name("widen." + operand), "(ptr ", to, ", ptr ", start,
                ", i64 ", w.pick(along, rows, columns), ", i64 ", length, ", i64 ",
                w.pick(along, row, col), ")");
        return new Part(to, w.pick(along, length, "1"), w.pick(along, "1", length));
    }

    /** Lines of an operand as dense lines of floats. */
    private String widen(String operand) {
        Vectors from = values(operand);
        Vectors to = in.c(lines);
        if (stored(operand)) {
            Line line = Line.of(lines, to, "%length");
            String i = lines.fresh();
            lines.loop(i, "%count", null, () -> {
                String source = from.address("%from", w.times(i, "%lead"));
                String target = to.address("%to", w.times(i, "%length"));
                line.each((index, mask) -> to.store(from.load(from.address(source, index), mask),
                        to.address(target, index), mask));
            });
        }
        lines.add("ret void");
        return "define internal void @" + in.name("widen." + operand) + "(ptr noalias %to, "
                + "ptr noalias %from, i64 %count, i64 %length, i64 %lead) #0 {\n" + lines.text()
                + "}\n\n";
    }
}
