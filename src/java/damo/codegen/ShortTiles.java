package damo.codegen;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * The functions of a short product that compute rows of C on one thread, with the parameters of a
 * {@link RowTile}: {@code rows} where the rows of B lie along C, {@code few} the same for very few
 * elements, {@code line} for one row, {@code outer} for one term; {@code dots} where the rows of B
 * lie along k, {@code line.dots} the same for one row; there {@code b.row} is the step from one to
 * the next, and {@code b.jump} is for panels, see {@link DotTile}.
 */
final class ShortTiles {
    /** Rows of A that are read for some rows of B before others are: they stay near. */
    private static final int BLOCK = 48;
    private static final int WIDEST = 512;

    private final Inputs in;
    private final Tiles tiles;
    private final boolean many;
    private final Map<String, String> texts = new LinkedHashMap<>();
    private Lines lines;
    private Whole w;

    private ShortTiles(Inputs in) {
        this.in = in;
        this.tiles = in.tiles();
        this.many = tiles.bits() >= WIDEST;
    }

    /** So many rows and one vector are few elements. */
    static int fewRows() {
        return 6;
    }

    /** The functions and their tiles. */
    static String text(Inputs in) {
        ShortTiles s = new ShortTiles(in);
        s.function("rows", s::rows);
        s.function("few", () -> s.tiles(s.few()));
        s.function("dots", s::dots);
        s.function("line", () -> RowProduct.write(s.lines, in, 0));
        s.function("line.dots", () -> DotProduct.write(s.lines, in, false));
        s.function("outer", () -> OuterProduct.write(s.lines, in));
        return String.join("\n", s.texts.values());
    }

    private void function(String name, Runnable body) {
        lines = new Lines();
        w = new Whole(lines);
        body.run();
        lines.add("ret void");
        texts.put(name, "define internal void @" + in.name(name) + "("
                + RowTile.PARAMETERS.replace("{T}", tiles.type()) + ", i64 %b.jump) #0 {\n"
                + lines.text() + "}\n");
    }

    // ## Rows

    /** Tiles of more than one vector, those of fewer rows first. */
    private List<RowTile> wide() {
        return many ? List.of(new RowTile(1, 8, 1), new RowTile(2, 8, 1), new RowTile(4, 4, 1),
                new RowTile(6, 4, 1), new RowTile(8, 2, 1), new RowTile(10, 2, 1),
                new RowTile(12, 2, 1))
                : List.of(new RowTile(1, 4, 1), new RowTile(2, 4, 1), new RowTile(4, 2, 1),
                        new RowTile(6, 2, 1));
    }

    /** Tiles of one vector. */
    private static List<RowTile> narrow() {
        return List.of(new RowTile(6, 1, 1), new RowTile(12, 1, 1));
    }

    /** Those of few elements, as one chain of sums would wait for itself. */
    private List<RowTile> few() {
        int chains = many ? 4 : 2;
        return List.of(new RowTile(3, 1, chains), new RowTile(fewRows(), 1, chains));
    }

    private void rows() {
        lines.either(w.is("sle", "%n", Integer.toString(tiles.lanes())), () -> tiles(narrow()),
                () -> tiles(wide()));
    }

    private void tiles(List<RowTile> some) {
        some.forEach(tile -> texts.computeIfAbsent(tile.name(in), name -> tile.text(in)));
        RowSplit.write(lines, some.stream().map(RowTile::rows).toList(), "%rows",
                (tile, count, from, rows) -> lines.add("call void @", some.get(tile).name(in),
                        "(i64 ", count, ", i64 ", w.times(rows, "%a.row"), ", i64 0, i64 ",
                        w.times(rows, "%c.row"), ", i64 ", rows, ", i64 %n, i64 %k, ", tiles.type(),
                        " %alpha, ptr ", a(from), ", i64 %a.row, i64 %a.col, ptr %b, i64 %b.row, ",
                        "i64 %b.strip, ", tiles.type(), " %beta, ptr ", c(from), ", i64 %c.row, ",
                        "i64 %c.strip)"));
    }

    private String a(String from) {
        return in.a(lines).address("%a", w.times(from, "%a.row"));
    }

    private String c(String from) {
        return in.c(lines).address("%c", w.times(from, "%c.row"));
    }

    // ## Dots

    private List<DotTile> dotTiles() {
        int columns = Math.min(4, tiles.lanes());
        List<DotTile> all = new ArrayList<>();
        all.add(new DotTile(2, columns));
        if (many) {
            all.addAll(List.of(new DotTile(4, columns), new DotTile(5, columns),
                    new DotTile(6, columns)));
        }
        return all;
    }

    private void dots() {
        List<DotTile> some = dotTiles();
        some.forEach(tile -> texts.put(tile.name(in), tile.text(in)));
        String columns = Integer.toString(some.getFirst().columns());
        String block = lines.fresh();
        lines.loop(block, w.parts("%rows", BLOCK), null, () -> {
            String start = w.times(block, BLOCK);
            String height = w.least(Integer.toString(BLOCK), w.minus("%rows", start));
            String group = lines.fresh();
            lines.loop(group, w.parts("%n", some.getFirst().columns()), null, () -> {
                String first = w.times(group, columns);
                String width = w.least(columns, w.minus("%n", first));
                RowSplit.write(lines, some.stream().map(DotTile::rows).toList(), height,
                        (tile, count, from, rows) -> {
                            String i = lines.fresh();
                            lines.loop(i, count, null, () -> dots(some.get(tile), w.plus(start,
                                    w.plus(from, w.times(i, rows))), rows, first, width));
                        });
            });
        });
    }

    private void dots(DotTile tile, String from, String rows, String first, String columns) {
        lines.add("call void @", tile.name(in), "(i64 ", rows, ", i64 ", columns,
                ", i64 %k, ", tiles.type(), " %alpha, ptr ", a(from), ", i64 %a.row, ptr ",
                in.b(lines).address("%b", w.times(first, "%b.row")), ", i64 %b.row, i64 %b.jump, ",
                tiles.type(), " %beta, ptr ", in.c(lines).address(c(from), first), ", i64 %c.row)");
    }
}
