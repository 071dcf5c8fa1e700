package damo.codegen;

import java.util.ArrayList;
import java.util.List;
import java.util.stream.Collectors;
import java.util.stream.IntStream;

/**
 * The function of tiles: rows of C, of one or two vectors each, are held in registers while k runs
 * over adjacent elements of A and a line of B for each term. Every sum is one chain, in the order
 * of k, wherever the tile lies and however many rows it has. There is a loop for each number of
 * rows; what follows is written once, from the last row to the first.
 *
 * <p>All of it is written as it shall stay, with what changes as values of blocks: LLVM has no
 * passes to make.
 */
final class TileKernel {
    private final Tiles tiles;
    private final int vectors;
    private final Lines lines = new Lines();
    private final Vectors v;
    private final TileTerm term;
    /** The sums of each loop where it ends, as names. */
    private final List<List<String>> sums = new ArrayList<>();

    private TileKernel(Inputs in, int vectors, boolean keeps) {
        this.tiles = in.tiles();
        this.vectors = vectors;
        this.v = new Vectors(lines, tiles.t(), tiles.lanes());
        this.term = new TileTerm(lines, v, in.form(), keeps);
    }

    /**
     * The name of the function for tiles of so many vectors, without {@code @}; {@code keeps}: it
     * keeps subnormal numbers where the usual one may take them for zeros.
     */
    static String name(Inputs in, int vectors, boolean keeps) {
        return in.tileName("tile" + vectors) + (keeps ? ".keeps" : "");
    }

    /** Its parameters: rows, terms, A, its step from term to term, B, its step; C, its row stride,
     * columns; factors. */
    static String parameters(Tiles tiles) {
        String type = tiles.type();
        return "i64 %rows, i64 %k, ptr %a, i64 %a.step, ptr %b, i64 %b.step, ptr %c, i64 %c.row, "
                + "i64 %columns, " + type + " %alpha, " + type + " %beta";
    }

    /** Its text. */
    static String text(Inputs in, int vectors, boolean keeps) {
        TileKernel kernel = new TileKernel(in, vectors, keeps);
        kernel.write();
        return "define hidden void @" + name(in, vectors, keeps) + "(" + parameters(in.tiles())
                + ") #0 {\n" + kernel.lines.text() + "}\n";
    }

    private void write() {
        String last = lines.value("sub nsw i64 %rows, 1");
        lines.add("switch i64 %rows, label %rows", Integer.toString(tiles.rows()), " [",
                IntStream.range(1, tiles.rows()).mapToObj(i -> " i64 " + i + ", label %rows" + i)
                        .collect(Collectors.joining()), " ]");
        for (int rows = 1; rows <= tiles.rows(); rows++) {
            lines.label("rows" + rows);
            loop(rows);
        }
        lines.label("summed");
        finish(joined(), last);
    }

    private String offset(int vector) {
        return Integer.toString(vector * tiles.lanes());
    }

    private String at(String start, int vector) {
        return vector == 0 ? start : v.address(start, offset(vector));
    }

    // ## The sums

    /** The loop over k for so many rows, which there are. */
    private void loop(int rows) {
        fetch(rows);
        List<String> old = v.fresh(rows * vectors);
        List<String> now = v.fresh(rows * vectors);
        sums.add(now);
        String[] names = {lines.fresh(), lines.fresh(), lines.fresh()};
        String[] next = {lines.fresh(), lines.fresh(), lines.fresh()};
        String before = lines.currentLabel();
        String terms = "terms" + rows;
        lines.add("br label %", terms);
        lines.label(terms);
        phi(names[0], "i64", "%k", next[0], before);
        phi(names[1], "ptr", "%a", next[1], before);
        phi(names[2], "ptr", "%b", next[2], before);
        for (int i = 0; i < old.size(); i++) {
            phi(old.get(i), v.type(), "zeroinitializer", now.get(i), before);
        }
        line(names[1], names[2], old, now);
        lines.add(next[0], " = add nsw i64 ", names[0], ", -1");
        step(next[1], names[1], "%a.step");
        step(next[2], names[2], "%b.step");
        lines.add("br i1 ", lines.value("icmp sgt i64 ", next[0], ", 0"), ", label %", terms,
                ", label %summed");
    }

    /** Fetches the part of C. */
    private void fetch(int rows) {
        String start = "%c";
        for (int row = 0; row < rows; row++) {
            for (int i = 0; i < vectors; i++) {
                v.prefetchFar(at(start, i));
            }
            start = row < rows - 1 ? v.address(start, "%c.row") : null;
        }
    }

    private void phi(String name, String type, String first, String next, String before) {
        lines.add(name, " = phi ", type, " [ ", first, ", %", before, " ], [ ", next, ", %",
                lines.currentLabel(), " ]");
    }

    private void step(String next, String pointer, String step) {
        lines.add(next, " = getelementptr inbounds ", v.element(), ", ptr ", pointer, ", i64 ",
                step);
    }

    /** A line of B times an element of each row of A. */
    private void line(String a, String b, List<String> old, List<String> now) {
        List<TileTerm.Factor> line = new ArrayList<>();
        for (int i = 0; i < vectors; i++) {
            line.add(term.line(at(b, i)));
        }
        for (int i = 0; i < old.size(); i += vectors) {
            TileTerm.Factor x = term.everywhere(i == 0 ? a
                    : v.address(a, Integer.toString(i / vectors)));
            for (int j = 0; j < vectors; j++) {
                term.add(now.get(i + j), x, line.get(j), old.get(i + j));
            }
        }
    }

    /** The sums after all loops; those of rows that there are not mean nothing. */
    private List<String> joined() {
        List<String> all = v.fresh(tiles.rows() * vectors);
        for (int i = 0; i < all.size(); i++) {
            StringBuilder from = new StringBuilder();
            for (int rows = 1; rows <= tiles.rows(); rows++) {
                from.append(rows == 1 ? " [ " : ", [ ").append(i < rows * vectors
                        ? sums.get(rows - 1).get(i) : "poison").append(", %terms").append(rows)
                        .append(" ]");
            }
            lines.add(all.get(i), " = phi ", v.type(), from.toString());
        }
        return all;
    }

    // ## The end

    /** What is done with a vector of C, given its address, its sum and its number. */
    private interface Part {
        void write(String address, String sum, int vector);
    }

    /** Factors, and what is in C already; under masks at the edge. */
    private void finish(List<String> sums, String last) {
        String reads = lines.value(tiles.t().floating() ? "fcmp une " : "icmp ne ", v.element(),
                " %beta, ", tiles.number(0.0));
        String full = lines.value("icmp sge i64 %columns, ", offset(vectors));
        lines.either(full, () -> ends(sums, last, reads, null),
                () -> ends(sums, last, reads, masks()));
        lines.add("ret void");
    }

    private void ends(List<String> sums, String last, String reads, List<String> masks) {
        lines.either(reads, () -> rows(sums, last, adding(masks)),
                () -> rows(sums, last, storing(masks)));
    }

    private List<String> masks() {
        List<String> masks = new ArrayList<>();
        for (int i = 0; i < vectors; i++) {
            masks.add(v.below(lines.value("sub nsw i64 %columns, ", offset(i))));
        }
        return masks;
    }

    private static String mask(List<String> masks, int vector) {
        return masks == null ? null : masks.get(vector);
    }

    private Part adding(List<String> masks) {
        String alpha = v.splat("%alpha");
        String beta = v.splat("%beta");
        return (address, sum, i) -> {
            String old = v.load(address, mask(masks, i));
            v.store(v.fused(beta, old, v.rounded(alpha, sum)),
                    address, mask(masks, i));
        };
    }

    private Part storing(List<String> masks) {
        String alpha = v.splat("%alpha");
        return (address, sum, i) -> v.store(v.rounded(alpha, sum), address, mask(masks, i));
    }

    /** All rows that there are, the last one first. */
    private void rows(List<String> sums, String last, Part part) {
        List<String> labels = IntStream.range(0, tiles.rows())
                .mapToObj(i -> lines.freshLabel("row")).toList();
        String end = lines.freshLabel("end");
        String start = v.address("%c", lines.value("mul nsw i64 ", last, ", %c.row"));
        String back = lines.value("sub nsw i64 0, %c.row");
        String before = lines.currentLabel();
        lines.add("switch i64 ", last, ", label %", labels.getLast(), " [",
                IntStream.range(0, tiles.rows() - 1).mapToObj(i -> " i64 " + i + ", label %"
                        + labels.get(i)).collect(Collectors.joining()), " ]");
        String address = null;
        for (int row = tiles.rows() - 1; row >= 0; row--) {
            String from = lines.currentLabel();
            lines.label(labels.get(row));
            String above = address;
            address = lines.value("phi ptr [ ", start, ", %", before, " ]", above == null ? ""
                    : ", [ " + above + ", %" + from + " ]");
            for (int i = 0; i < vectors; i++) {
                part.write(at(address, i), sums.get(row * vectors + i), i);
            }
            address = v.address(address, back);
            lines.add("br label %", row == 0 ? end : labels.get(row - 1));
        }
        lines.label(end);
    }
}
