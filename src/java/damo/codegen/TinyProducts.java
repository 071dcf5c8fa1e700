package damo.codegen;

import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import java.util.stream.IntStream;

/**
 * Many products of tiny matrices of one size, with {@code %count} and the steps of A, B and C from
 * one to the next before the parameters of {@code damo.gemm}: a tile goes from matrix to matrix, so
 * that what its size needs is found out once. The rows of B lie along C; where its columns lie
 * along k, each B is turned first.
 */
final class TinyProducts {
    /** Rows of A, and elements of B, that are few. */
    private static final int ROWS = 512;
    private static final int ELEMENTS = 1 << 13;
    /** Elements of A and B that stay near while a tile goes from matrix to matrix. */
    private static final int NEAR = 1 << 12;
    /** Terms up to which B is turned, as much of it as a panel has. */
    private static final int TERMS = 128;
    private static final int LEAST = 128;
    private static final int WIDEST = 512;
    /** Its parameters; {@code {T}} is the dtype. */
    static final String PARAMETERS = "i64 %count, i64 %a.step, i64 %b.step, i64 %c.step, i64 %m, "
            + "i64 %n, i64 %k, {T} %factor, ptr %a, i64 %a.row, i64 %a.col, ptr %b, i64 %b.row, "
            + "i64 %b.col, {T} %beta, ptr %c, i64 %c.row";

    private final Inputs in;
    private final Tiles tiles;
    private final Map<String, String> texts = new LinkedHashMap<>();
    private final Lines lines = new Lines();
    private final Whole w = new Whole(lines);

    private TinyProducts(Inputs in) {
        this.in = in;
        this.tiles = in.tiles();
    }

    /** The name (with {@code @}) of the function. */
    static String name(Inputs in) {
        return "@" + in.name("tiny");
    }

    /** The text of the function and its tiles. */
    static String text(Inputs in) {
        return new TinyProducts(in).text();
    }

    /** Its declaration. */
    static String declaration(Inputs in) {
        return "declare hidden void " + name(in) + "(" + PARAMETERS.replace("{T}", in.type())
                + ")\n";
    }

    /** Appends whether products of those sizes are for it, an i1. */
    static String fits(Lines lines, Tiles tiles, Sizes s) {
        Whole w = new Whole(lines);
        String few = w.both(w.is("sle", s.m, Integer.toString(ROWS)), w.is("sle",
                w.times(s.n, s.k), Integer.toString(ELEMENTS)));
        String turns = w.both(w.is("eq", s.bRow, "1"), w.is("sle", s.k, Integer.toString(TERMS)));
        return w.both(few, w.either(w.is("eq", s.bCol, "1"), turns));
    }

    /** What decides. */
    record Sizes(String m, String n, String k, String bRow, String bCol) { }

    /** Tiles of so many vectors side by side. */
    private List<RowTile> tiles(int width) {
        List<Integer> rows = tiles.bits() >= WIDEST ? List.of(2, 4, 6, 8, 12) : List.of(2, 4, 6);
        return rows.stream().map(r -> new RowTile(r, width, 1)).toList();
    }

    private String text() {
        // A sum of nothing is 0, whatever the factor is.
        lines.add("%alpha = select i1 ", w.is("sgt", "%k", "0"), ", ", in.type(), " %factor, ",
                in.type(), " ", Types.floating(0.0));
        lines.either(w.is("eq", "%b.col", "1"), this::blocks, this::turned);
        lines.add("ret void");
        String head = "define hidden void " + name(in) + "(" + PARAMETERS.replace("{T}",
                in.type()) + ") #0 {\n" + lines.text() + "}\n\n";
        return head + String.join("\n", texts.values()) + squares().stream()
                .map(TilePacking::turn).collect(Collectors.joining());
    }

    /** As many matrices at a time as stay near. */
    private void blocks() {
        Vectors v = in.c(lines);
        String size = w.most("1", w.over(Integer.toString(NEAR), w.times(w.plus("%m", "%n"),
                w.most("%k", "1"))));
        String block = lines.fresh();
        lines.loop(block, w.parts("%count", size), null, () -> {
            String from = w.times(block, size);
            rows(new Part(w.least(size, w.minus("%count", from)), "%n",
                    v.address("%a", w.times(from, "%a.step")),
                    v.address("%b", w.times(from, "%b.step")), "%b.row",
                    v.address("%c", w.times(from, "%c.step"))));
        });
    }

    /** What is multiplied: so many matrices, n columns of each. */
    private record Part(String count, String n, String a, String b, String bRow, String c) { }

    /** Columns that a vector holds, where they are left, by tiles of one. */
    private void rows(Part p) {
        Vectors v = in.c(lines);
        String rest = w.rest(p.n, Integer.toString(tiles.columns()));
        String last = w.pick(w.is("sle", rest, Integer.toString(tiles.lanes())), rest, "0");
        String wide = w.minus(p.n, last);
        lines.when(w.is("sgt", wide, "0"), () -> rows(tiles(RowTile.STRIP), new Part(p.count, wide,
                p.a, p.b, p.bRow, p.c)));
        lines.when(w.is("sgt", last, "0"), () -> rows(tiles(1), new Part(p.count, last, p.a,
                v.address(p.b, wide), p.bRow, v.address(p.c, wide))));
    }

    private void rows(List<RowTile> some, Part p) {
        Vectors v = in.c(lines);
        some.forEach(tile -> texts.computeIfAbsent(tile.name(in), name -> tile.text(in)));
        RowSplit.write(lines, some.stream().map(RowTile::rows).toList(), "%m",
                (tile, parts, from, rows) -> {
                    String i = lines.fresh();
                    lines.loop(i, parts, null, () -> {
                        String row = w.plus(from, w.times(i, rows));
                        lines.add("call void @", some.get(tile).name(in), "(i64 ", p.count,
                                ", i64 %a.step, i64 %b.step, i64 %c.step, i64 ", rows,
                                ", i64 ", p.n, ", i64 %k, ", in.type(), " %alpha, ptr ",
                                v.address(p.a, w.times(row, "%a.row")), ", i64 %a.row, i64 %a.col,"
                                + " ptr ", p.b, ", i64 ", p.bRow, ", i64 ",
                                Integer.toString(tiles.columns()), ", ", in.type(),
                                " %beta, ptr ", v.address(p.c, w.times(row, "%c.row")),
                                ", i64 %c.row, i64 ", Integer.toString(tiles.columns()), ")");
                    });
                });
    }

    /** What turns squares of as many elements as vectors have, the smaller ones first. */
    private List<Inputs> squares() {
        return IntStream.of(LEAST, 2 * LEAST, WIDEST).filter(bits -> bits <= tiles.bits())
                .mapToObj(bits -> Inputs.same(tiles.t(), bits)).toList();
    }

    /** Turns B by the smallest squares of which one holds it, else by the largest. */
    private void turn(List<Inputs> squares, String n, String b, String room) {
        Tiles square = squares.getFirst().tiles();
        String side = Integer.toString(square.lanes());
        if (squares.size() == 1) {
            turn(squares.getFirst(), n, b, room);
        } else {
            lines.either(w.both(w.is("sle", n, side), w.is("sle", "%k", side)),
                    () -> turn(squares.getFirst(), n, b, room),
                    () -> turn(squares.subList(1, squares.size()), n, b, room));
        }
    }

    private void turn(Inputs square, String n, String b, String room) {
        Vectors v = in.c(lines);
        int side = square.tiles().lanes();
        String columns = Integer.toString(tiles.columns());
        String groups = w.parts(n, side);
        String i = lines.fresh();
        lines.loop(i, groups, null, () -> {
            String first = w.times(w.minus(w.minus(groups, "1"), i), side);
            lines.add("call void @", TilePacking.turnName(square), "(ptr ", v.address(b,
                    w.times(first, "%b.col")), ", i64 %b.col, i64 ", w.least(w.minus(n, first),
                    Integer.toString(side)), ", i64 %k, i64 ", Integer.toString(2 * side), ", ptr ",
                    v.address(room, first), ", i64 ", columns, ", ptr null)");
        });
    }

    /** B by B, and panel by panel, turned to lines of as many elements as a panel has. */
    private void turned() {
        Vectors v = in.c(lines);
        int columns = tiles.columns();
        String room = lines.slot("%turned", "[" + (TERMS + 1) * columns + " x " + in.type() + "]");
        String p = lines.fresh();
        lines.loop(p, "%count", null, () -> {
            String a = v.address("%a", w.times(p, "%a.step"));
            String b = v.address("%b", w.times(p, "%b.step"));
            String c = v.address("%c", w.times(p, "%c.step"));
            String panel = lines.fresh();
            lines.loop(panel, w.parts("%n", columns), null, () -> {
                String first = w.times(panel, columns);
                String n = w.least(Integer.toString(columns), w.minus("%n", first));
                turn(squares(), n, v.address(b, w.times(first, "%b.col")), room);
                rows(new Part("1", n, a, room, Integer.toString(columns), v.address(c, first)));
            });
        });
    }
}
