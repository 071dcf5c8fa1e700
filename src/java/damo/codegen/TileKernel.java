package damo.codegen;

import java.util.ArrayList;
import java.util.List;

/**
 * The function of a tile: rows of C, of one or two vectors each, are held in registers while k runs
 * over adjacent elements of A and a line of B for each term. Every sum is one chain, in the order
 * of k, wherever the tile lies and however many rows it has.
 */
final class TileKernel {
    /** Lines of B that are fetched ahead. */
    private static final int AHEAD = 12;

    private final Tiles tiles;
    private final int rows;
    private final int vectors;
    private final Lines lines = new Lines();
    private final Vectors v;

    private TileKernel(Tiles tiles, int rows, int vectors) {
        this.tiles = tiles;
        this.rows = rows;
        this.vectors = vectors;
        this.v = new Vectors(lines, tiles.t(), tiles.lanes());
    }

    /** The parameters: terms, A, its step from term to term, B, its step; C, its row stride,
     * columns; factors. */
    static String parameters(String type) {
        return "i64, ptr, i64, ptr, i64, ptr, i64, i64, " + type + ", " + type;
    }

    /** The texts of the functions for so many vectors, of all numbers of rows. */
    static String all(Tiles tiles, int vectors) {
        StringBuilder text = new StringBuilder();
        for (int rows = 1; rows <= tiles.rows(); rows++) {
            text.append(new TileKernel(tiles, rows, vectors).text()).append('\n');
        }
        return text.toString();
    }

    private String text() {
        List<String> sums = v.sums(rows * vectors);
        eachRow((row, vector) -> v.prefetch(at(row, vector), true));
        terms(sums);
        finish(sums);
        lines.add("ret void");
        return "define hidden void @" + tiles.tile(rows, vectors) + "(i64 %k, ptr %a, i64 %a.step, "
                + "ptr %b, i64 %b.step, ptr %c, i64 %c.row, i64 %columns, " + tiles.type()
                + " %alpha, " + tiles.type() + " %beta) #0 {\n" + lines.text() + "}\n";
    }

    private interface Part {
        void write(int row, int vector);
    }

    private void eachRow(Part part) {
        for (int row = 0; row < rows; row++) {
            for (int vector = 0; vector < vectors; vector++) {
                part.write(row, vector);
            }
        }
    }

    /** The address of a vector of C. */
    private String at(int row, int vector) {
        String start = v.address("%c", lines.value("mul nsw i64 %c.row, ", Integer.toString(row)));
        return v.address(start, Integer.toString(vector * tiles.lanes()));
    }

    private void terms(List<String> sums) {
        String ahead = lines.value("mul nsw i64 %b.step, ", Integer.toString(AHEAD));
        String l = lines.fresh();
        lines.loop(l, "%k", null, Attributes.PLAIN_LOOP, () -> {
            String a = v.address("%a", lines.value("mul nsw i64 ", l, ", %a.step"));
            String b = v.address("%b", lines.value("mul nsw i64 ", l, ", %b.step"));
            String later = v.address(b, ahead);
            List<String> line = new ArrayList<>();
            for (int i = 0; i < vectors; i++) {
                String offset = Integer.toString(i * tiles.lanes());
                line.add(v.load(v.address(b, offset), null));
                v.prefetch(v.address(later, offset), false);
            }
            for (int row = 0; row < rows; row++) {
                String x = v.splat(v.scalar(v.address(a, Integer.toString(row))));
                for (int i = 0; i < vectors; i++) {
                    String slot = sums.get(row * vectors + i);
                    v.set(slot, v.fused(x, line.get(i), v.sum(slot)));
                }
            }
        });
    }

    /** Factors, and what is in C already; with a mask at the edge, or always where it is free. */
    private void finish(List<String> sums) {
        List<String> scaled = new ArrayList<>();
        String alpha = v.splat("%alpha");
        sums.forEach(sum -> scaled.add(lines.value("fmul ", v.type(), " ", alpha, ", ",
                v.sum(sum))));
        if (tiles.masks()) {
            store(scaled, masks());
        } else {
            String full = lines.value("icmp sge i64 %columns, ",
                    Integer.toString(vectors * tiles.lanes()));
            lines.either(full, () -> store(scaled, null), () -> store(scaled, masks()));
        }
    }

    private List<String> masks() {
        List<String> masks = new ArrayList<>();
        for (int i = 0; i < vectors; i++) {
            masks.add(v.below(lines.value("sub nsw i64 %columns, ",
                    Integer.toString(i * tiles.lanes()))));
        }
        return masks;
    }

    private void store(List<String> scaled, List<String> masks) {
        String reads = lines.value("fcmp une ", v.element(), " %beta, ", Types.floating(0.0));
        lines.either(reads, () -> {
            String beta = v.splat("%beta");
            eachRow((row, vector) -> {
                String mask = masks == null ? null : masks.get(vector);
                String old = v.load(at(row, vector), mask);
                v.store(v.fused(beta, old, scaled.get(row * vectors + vector)), at(row, vector),
                        mask);
            });
        }, () -> eachRow((row, vector) -> v.store(scaled.get(row * vectors + vector),
                at(row, vector), masks == null ? null : masks.get(vector))));
    }
}
