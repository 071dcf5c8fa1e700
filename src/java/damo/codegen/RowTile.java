package damo.codegen;

import java.util.ArrayList;
import java.util.Collections;
import java.util.List;

/**
 * A tile of C[m n] = alpha A[m k] B[k n] + beta C that stays in registers while k runs: some rows,
 * each of some vectors along n; an element of A is taken to all lanes. A and B are read where they
 * lie. A sum is added up from the first term on, alone (or in {@code chains}, of which each takes
 * every so-manieth term), so that it does not depend on where in C it stands.
 *
 * @param rows rows of C at a time
 * @param width vectors of each: 1, or an even number
 * @param chains sums for each element
 */
record RowTile(int rows, int width, int chains) {
    /** Vectors of a strip, which is as wide as a panel. */
    static final int STRIP = 2;
    /** From so many bits on, a mask costs nothing. */
    private static final int MASKS = 512;
    /** Rows of B that are asked for before they are used. */
    private static final int AHEAD = 12;

    /**
     * The parameters of the function behind {@link #TILES}: so many tiles are computed, of
     * {@code %rows} rows of C each, no more than it holds.
     * B and C are strips of columns; {@code .strip} is the distance of one from the next.
     */
    static final String PARAMETERS = "i64 %rows, i64 %n, i64 %k, {T} %alpha, "
            + "ptr noalias nocapture readonly %a, i64 %a.row, i64 %a.col, "
            + "ptr noalias nocapture readonly %b, i64 %b.row, i64 %b.strip, {T} %beta, "
            + "ptr noalias nocapture %c, i64 %c.row, i64 %c.strip";

    /** How many tiles, and the steps of A, B and C from one to the next. */
    static final String TILES = "i64 %tiles, i64 %a.step, i64 %b.step, i64 %c.step, ";

    /** The function's name, without {@code @}. */
    String name(Inputs in) {
        return in.name("rows" + rows + "x" + width + "x" + chains);
    }

    /** The text of the function. */
    String text(Inputs in) {
        Lines lines = new Lines();
        new Writer(this, lines, in.c(lines), in.a(lines), in.b(lines), in.tiles()).write();
        return "define internal void @" + name(in) + "("
                + TILES + PARAMETERS.replace("{T}", in.type()) + ") #0 {\n" + lines.text()
                + "}\n";
    }

    /** A part of C: where the vectors of B and of the rows of C begin, and their masks. */
    private record Part(List<String> b, List<List<String>> c, List<String> masks) {
        Part whole() {
            return new Part(b, c, Collections.nCopies(masks.size(), null));
        }
    }

    private record Writer(RowTile tile, Lines lines, Vectors v, Vectors va, Vectors vb,
                          Tiles tiles) {
        void write() {
            List<String> aRows = offsets("%a.row");
            List<String> cRows = offsets("%c.row");
            Whole w = new Whole(lines);
            String number = lines.fresh();
            lines.loop(number, "%tiles", null, () -> {
                rows(starts(va, va.address("%a", w.times(number, "%a.step")), aRows),
                        vb.address("%b", w.times(number, "%b.step")),
                        starts(v, v.address("%c", w.times(number, "%c.step")), cRows));
            });
            lines.add("ret void");
        }

        private void rows(List<String> as, String b, List<String> cs) {
            Whole w = new Whole(lines);
            int columns = tile.width * tiles.lanes();
            String part = lines.fresh();
            lines.loop(part, w.parts("%n", columns), null, () -> {
                String left = w.minus("%n", w.times(part, columns));
                Part p = part(part, left, b, cs);
                if (tiles.bits() >= MASKS) {
                    sum(as, p);
                } else {
                    lines.either(w.is("sge", left, Integer.toString(columns)),
                            () -> sum(as, p.whole()), () -> sum(as, p));
                }
            });
        }

        private void sum(List<String> as, Part p) {
            finish(v.totals(terms(as, p), tile.rows * tile.width), p);
        }

        /** Where rows of a tile begin. Behind the last row is the last row again. */
        private List<String> offsets(String stride) {
            String last = lines.value("sub nsw i64 %rows, 1");
            List<String> offsets = new ArrayList<>();
            for (int r = 0; r < tile.rows; r++) {
                String row = lines.call("i64", "llvm.smin.i64", "i64", last, Integer.toString(r));
                offsets.add(lines.value("mul nsw i64 ", row, ", ", stride));
            }
            return offsets;
        }

        private List<String> starts(Vectors of, String base, List<String> offsets) {
            return offsets.stream().map(offset -> of.address(base, offset)).toList();
        }

        private Part part(String number, String left, String b, List<String> cs) {
            Part p = new Part(new ArrayList<>(), new ArrayList<>(), new ArrayList<>());
            cs.forEach(c -> p.c.add(new ArrayList<>()));
            for (int i = 0; i < tile.width; i++) {
                p.masks.add(v.below(lines.value("sub nsw i64 ", left, ", ",
                        Integer.toString(i * tiles.lanes()))));
                String strip = lines.value("add nuw nsw i64 ", lines.value("mul nuw nsw i64 ",
                        number, ", ", Integer.toString(tile.width / STRIP)), ", ",
                        Integer.toString(i / STRIP));
                String inside = Integer.toString(i % STRIP * tiles.lanes());
                p.b.add(vb.address(vb.address(b, lines.value("mul nsw i64 ", strip,
                        ", %b.strip")), inside));
                String offset = lines.value("mul nsw i64 ", strip, ", %c.strip");
                for (int r = 0; r < cs.size(); r++) {
                    p.c.get(r).add(v.address(v.address(cs.get(r), offset), inside));
                }
            }
            return p;
        }

        /** The sums of k terms, chain by chain, row by row. */
        private List<String> terms(List<String> as, Part p) {
            int size = tile.rows * tile.width;
            List<String> sums = v.sums(tile.chains * size);
            String chains = Integer.toString(tile.chains);
            String turns = tile.chains == 1 ? "%k" : lines.value("udiv i64 %k, ", chains);
            String turn = lines.fresh();
            lines.loop(turn, turns, null, () -> {
                String from = lines.value("mul nuw nsw i64 ", turn, ", ", chains);
                for (int s = 0; s < tile.chains; s++) {
                    term(lines.value("add nuw nsw i64 ", from, ", ", Integer.toString(s)), as, p,
                            sums.subList(s * size, (s + 1) * size));
                }
            });
            if (tile.chains > 1) {
                String from = lines.value("mul nuw nsw i64 ", turns, ", ", chains);
                String rest = lines.fresh();
                lines.loop(rest, lines.value("sub nsw i64 %k, ", from), null, () -> term(
                        lines.value("add nuw nsw i64 ", from, ", ", rest), as, p,
                        sums.subList(0, size)));
            }
            return sums;
        }

        /** Row l of B times element l of each row of A. */
        private void term(String l, List<String> as, Part p, List<String> sums) {
            String row = lines.value("mul nsw i64 ", l, ", %b.row");
            List<String> bs = new ArrayList<>();
            String ahead = lines.value("add nsw i64 ", row, ", ", lines.value(
                    "mul nsw i64 %b.row, ", Integer.toString(AHEAD)));
            for (int i = 0; i < tile.width; i++) {
                bs.add(vb.load(vb.address(p.b.get(i), row), p.masks.get(i)));
                vb.prefetch(vb.address(p.b.get(i), ahead));
            }
            String column = lines.value("mul nsw i64 ", l, ", %a.col");
            for (int r = 0; r < tile.rows; r++) {
                String x = v.splat(va.scalar(va.address(as.get(r), column)));
                for (int i = 0; i < tile.width; i++) {
                    v.add(sums.get(r * tile.width + i), x, bs.get(i));
                }
            }
        }

        private void finish(List<String> totals, Part p) {
            String alpha = v.splat("%alpha");
            List<String> results = new ArrayList<>();
            totals.forEach(total -> results.add(v.times(alpha, total)));
            v.unlessZero("%beta", () -> each(results, p, null),
                    () -> each(results, p, v.splat("%beta")));
        }

        /** All of C is read before it is written: a row may be there twice. */
        private void each(List<String> results, Part p, String beta) {
            List<String> kept = new ArrayList<>();
            for (int i = 0; i < results.size(); i++) {
                String c = p.c.get(i / tile.width).get(i % tile.width);
                kept.add(beta == null ? results.get(i) : v.plus(results.get(i), v.times(beta,
                        v.load(c, p.masks.get(i % tile.width)))));
            }
            for (int i = 0; i < results.size(); i++) {
                v.store(kept.get(i), p.c.get(i / tile.width).get(i % tile.width),
                        p.masks.get(i % tile.width));
            }
        }
    }
}
