package damo.codegen;

import java.util.ArrayList;
import java.util.List;

/**
 * Functions that pack a part of A or B: its lines across k become adjacent, line by line of k, as
 * tiles read them. They may write behind the last line, less than {@link #SLACK} bytes.
 */
final class TilePacking {
    /** Bytes behind what is packed that may be written. */
    static final int SLACK = 1 << 13;
    /** Lines that are fetched ahead. */
    private static final int AHEAD = 8;

    private final Tiles tiles;
    private final Lines lines = new Lines();
    private final Whole w = new Whole(lines);
    private final Vectors v;
    private final int lanes;

    private TilePacking(Tiles tiles) {
        this.tiles = tiles;
        this.lanes = tiles.lanes();
        this.v = new Vectors(lines, tiles.t(), lanes);
    }

    private static final String TURN = "ptr %from, i64 %lead, i64 %count, i64 %k, i64 %pair, "
            + "ptr %to, i64 %step";
    private static final String COPY = "ptr %from, i64 %lead, i64 %count, i64 %k, ptr %to, "
            + "i64 %step";
    private static final String GATHER = "ptr %from, i1 %along, i64 %unit, i64 %lead, i64 %panel, "
            + "i64 %k.from, i64 %line, i64 %k, i64 %count, ptr %to, i64 %step";

    /** The texts of those that hold loops. */
    static String loops(Tiles tiles) {
        return new TilePacking(tiles).turn() + new TilePacking(tiles).copy()
                + new TilePacking(tiles).gather();
    }

    /** Declarations of these. */
    static String declarations(Tiles tiles) {
        return "declare hidden void @" + tiles.name("turn") + "(" + TURN + ")\n"
                + "declare hidden void @" + tiles.name("copy") + "(" + COPY + ")\n"
                + "declare hidden void @" + tiles.name("gather") + "(" + GATHER + ")\n";
    }

    /** The text of the one that calls them. */
    static String pack(Tiles tiles) {
        return new TilePacking(tiles).pack();
    }

    private String text(String name, String parameters) {
        lines.add("ret void");
        return "define hidden void @" + tiles.name(name) + "(" + parameters + ") #0 {\n"
                + lines.text() + "}\n\n";
    }

    // ## Lines along k

    /** Some lines along k, no more than lanes; {@code pair} is the step from one panel of k to the
     * next. What is stored for the lines that lack is overwritten later, or never looked at. */
    private String turn() {
        List<String> starts = new ArrayList<>();
        String last = w.minus("%count", "1");
        for (int i = 0; i < lanes; i++) {
            starts.add(v.address("%from", w.times(w.least(Integer.toString(i), last), "%lead")));
        }
        String square = lines.fresh();
        lines.loop(square, w.parts("%k", lanes), null, () -> square(starts, square,
                v.below(w.minus("%k", w.times(square, lanes)))));
        return text("turn", TURN);
    }

    private void square(List<String> starts, String number, String mask) {
        String offset = w.plus(w.times(w.over(number, "2"), "%pair"),
                w.times(w.rest(number, "2"), lanes));
        List<String> rows = new ArrayList<>();
        starts.forEach(start -> rows.add(v.load(v.address(start, offset), mask)));
        List<String> columns = new TileTranspose(v, lanes, Types.bits(tiles.t())).columns(rows);
        String to = v.address("%to", w.times(w.times(number, lanes), "%step"));
        for (int i = 0; i < lanes; i++) {
            v.store(columns.get(i), v.address(to, w.times("%step", i)), null);
        }
    }

    // ## Lines across k

    /** Lines of no more elements than a panel has columns; what lacks is 0. */
    private String copy() {
        String full = w.is("sge", "%count", Integer.toString(tiles.columns()));
        List<String> masks = new ArrayList<>();
        for (int i = 0; i < Tiles.WIDE; i++) {
            masks.add(v.below(w.minus("%count", Integer.toString(i * lanes))));
        }
        lines.either(full, () -> copy(null), () -> copy(masks));
        return text("copy", COPY);
    }

    private void copy(List<String> masks) {
        String l = lines.fresh();
        String ahead = w.times("%lead", AHEAD);
        lines.loop(l, "%k", null, Attributes.PLAIN_LOOP, () -> {
            String from = v.address("%from", w.times(l, "%lead"));
            String to = v.address("%to", w.times(l, "%step"));
            for (int i = 0; i < Tiles.WIDE; i++) {
                String offset = Integer.toString(i * lanes);
                v.store(v.load(v.address(from, offset), masks == null ? null : masks.get(i)),
                        v.address(to, offset), null);
                v.prefetch(v.address(v.address(from, ahead), offset));
            }
        });
    }

    // ## One by one

    /** Elements however they lie: see {@link TileOperand}. */
    private String gather() {
        String columns = Integer.toString(tiles.columns());
        String l = lines.fresh();
        lines.loop(l, "%k", null, Attributes.PLAIN_LOOP, () -> {
            String y = lines.fresh();
            lines.loop(y, "%count", null, Attributes.PLAIN_LOOP, () -> {
                String term = w.plus("%k.from", l);
                String line = w.plus("%line", y);
                String unit = w.pick("%along", term, line);
                String other = w.pick("%along", line, term);
                String from = w.plus(w.plus(w.times(w.over(unit, columns), "%panel"),
                        w.times(w.rest(unit, columns), "%unit")), w.times(other, "%lead"));
                String x = v.scalar(v.address("%from", from));
                lines.add("store ", v.element(), " ", x, ", ptr ",
                        v.address("%to", w.plus(w.times(l, "%step"), y)));
            });
        });
        return text("gather", GATHER);
    }

    // ## Any

    /** Packs {@code count} lines from {@code line} on, of an operand of a job. */
    private String pack() {
        TileOperand o = TileOperand.load(lines, v, "%operand");
        String columns = Integer.toString(tiles.columns());
        String unit = w.is("eq", o.unit(), "1");
        String place = w.rest("%line", columns);
        String inside = w.either(w.is("eq", o.panel(), columns),
                w.is("sle", w.plus(place, "%count"), columns));
        lines.either(w.both(unit, o.along()), () -> turns(o), () -> lines.either(
                w.both(unit, inside), () -> {
                    String from = v.address(o.base(), w.plus(w.plus(w.times(w.over("%line",
                            columns), o.panel()), place), w.times("%k.from", o.lead())));
                    call("copy", "ptr " + from, o.lead(), "%count", "%k", "ptr %to", "%step");
                }, () -> call("gather", "ptr " + o.base(), "i1 " + o.along(), o.unit(), o.lead(),
                        o.panel(), "%k.from", "%line", "%k", "%count", "ptr %to", "%step")));
        return text("pack", "ptr %operand, i64 %line, i64 %count, i64 %k.from, i64 %k, ptr %to, "
                + "i64 %step");
    }

    /** The last group of lines first: what it stores for lines that lack is overwritten. */
    private void turns(TileOperand o) {
        String from = v.address(o.base(), w.plus(w.times(w.over("%k.from",
                Integer.toString(tiles.columns())), o.panel()), w.times("%line", o.lead())));
        String groups = w.parts("%count", lanes);
        String i = lines.fresh();
        lines.loop(i, groups, null, () -> {
            String first = w.times(w.minus(w.minus(groups, "1"), i), lanes);
            String count = w.least(w.minus("%count", first), Integer.toString(lanes));
            call("turn", "ptr " + v.address(from, w.times(first, o.lead())), o.lead(), count, "%k",
                    o.panel(), "ptr " + v.address("%to", first), "%step");
        });
    }

    private void call(String name, String... arguments) {
        List<String> all = new ArrayList<>();
        for (String a : arguments) {
            all.add(a.contains(" ") ? a : "i64 " + a);
        }
        lines.add("call void @", tiles.name(name), "(", String.join(", ", all), ")");
    }
}
