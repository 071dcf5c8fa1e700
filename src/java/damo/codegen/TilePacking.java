package damo.codegen;

import java.util.ArrayList;
import java.util.List;
import java.util.function.Function;
import java.util.stream.Collectors;

/**
 * Functions that pack a part of A or B: its lines across k become adjacent, line by line of k, as
 * tiles read them: widened where they are of a smaller dtype, or in {@link TilePairs}. They may
 * write behind the last line, less than {@link #SLACK} bytes.
 */
final class TilePacking {
    /** Bytes behind what is packed that may be written. */
    static final int SLACK = 1 << 13;
    /** Lines that are fetched ahead. */
    private static final int AHEAD = 8;

    private final Inputs in;
    private final Side side;
    private final Tiles tiles;
    private final Lines lines = new Lines();
    private final Whole w = new Whole(lines);
    /** What is packed, and what it lies as in memory. */
    private final Vectors v;
    private final Vectors from;
    private final TilePairs pairs;
    private final int lanes;

    /** Whose operand is packed; {@code BOTH} where A and B are of one dtype. */
    enum Side { A, B, BOTH }

    private TilePacking(Inputs in, Side side) {
        this.in = in;
        this.side = side;
        this.tiles = in.tiles();
        this.lanes = tiles.lanes();
        this.v = in.c(lines);
        this.from = side == Side.B ? in.b(lines) : in.a(lines);
        this.pairs = in.form().pairs() ? new TilePairs(lines, in, side == Side.B ? in.b() : in.a())
                : null;
    }

    private static final String TURN = "ptr %from, i64 %lead, i64 %count, i64 %k, i64 %pair, "
            + "ptr %to, i64 %step, ptr %least";
    private static final String COPY = "ptr %from, i64 %lead, i64 %count, i64 %k, ptr %to, "
            + "i64 %step, ptr %least";
    private static final String GATHER = "ptr %from, i1 %along, i64 %unit, i64 %lead, i64 %panel, "
            + "i64 %k.from, i64 %line, i64 %k, i64 %count, ptr %to, i64 %step, ptr %least";

    private static List<Side> sides(Inputs in) {
        return in.a() == in.b() ? List.of(Side.BOTH) : List.of(Side.A, Side.B);
    }

    /** The texts of those that hold loops. */
    static String loops(Inputs in) {
        return all(in, s -> new TilePacking(in, s).turn() + new TilePacking(in, s).copy()
                + new TilePacking(in, s).gather());
    }

    /** The text of the one that turns lines along k, of operands of one dtype. */
    static String turn(Inputs in) {
        return new TilePacking(in, Side.BOTH).turn();
    }

    /** The name of that. */
    static String turnName(Inputs in) {
        return name(in, "turn", Side.BOTH);
    }

    /** Declarations of these. */
    static String declarations(Inputs in) {
        return all(in, s -> "declare hidden void @" + name(in, "turn", s) + "(" + TURN + ")\n"
                + "declare hidden void @" + name(in, "copy", s) + "(" + COPY + ")\n"
                + "declare hidden void @" + name(in, "gather", s) + "(" + GATHER + ")\n");
    }

    /** The texts of those that call them. */
    static String pack(Inputs in) {
        return all(in, s -> new TilePacking(in, s).pack());
    }

    private static String all(Inputs in, Function<Side, String> text) {
        return sides(in).stream().map(text).collect(Collectors.joining());
    }

    /** The name of a function for one side, which is not {@code BOTH}. */
    static String name(Inputs in, Side side) {
        return name(in, "pack", in.a() == in.b() ? Side.BOTH : side);
    }

    private static String name(Inputs in, String name, Side side) {
        return in.tileName(name + (side == Side.BOTH ? "" : side == Side.A ? ".a" : ".b"));
    }

    private void begin() {
        if (pairs != null) {
            pairs.begin();
        }
    }

    private String text(String name, String parameters) {
        if (pairs != null && !name.equals("pack")) {
            pairs.tell();
        }
        lines.add("ret void");
        return "define hidden void @" + name(in, name, side) + "(" + parameters + ") #0 {\n"
                + lines.text() + "}\n\n";
    }

    // ## Lines along k

    /** Some lines along k, no more than lanes; {@code pair} is the step from one panel of k to the
     * next. What is stored for the lines that lack is overwritten later, or never looked at. */
    private String turn() {
        begin();
        List<String> starts = new ArrayList<>();
        String last = w.minus("%count", "1");
        for (int i = 0; i < lanes; i++) {
            starts.add(from.address("%from", w.times(w.least(Integer.toString(i), last),
                    "%lead")));
        }
        String square = lines.fresh();
        int terms = pairs == null ? lanes : 2 * lanes;
        lines.loop(square, w.parts("%k", terms), null, () -> square(starts, square,
                w.minus("%k", w.times(square, terms))));
        return text("turn", TURN);
    }

    private void square(List<String> starts, String number, String left) {
        List<String> rows = new ArrayList<>();
        if (pairs == null) {
            String mask = v.below(left);
            String offset = w.plus(w.times(w.over(number, "2"), "%pair"),
                    w.times(w.rest(number, "2"), lanes));
            starts.forEach(s -> rows.add(from.load(from.address(s, offset), mask)));
        } else {
            String mask = pairs.below(left);
            String offset = w.times(number, 2L * lanes);
            starts.forEach(s -> rows.add(pairs.along(from.address(s, offset), mask)));
            pairs.look(rows);
        }
        List<String> columns = new TileTranspose(v, lanes, Types.bits(tiles.t())).columns(rows);
        String to = v.address("%to", w.times(w.times(number, lanes), "%step"));
        for (int i = 0; i < lanes; i++) {
            v.store(columns.get(i), v.address(to, w.times("%step", i)), null);
        }
    }

    // ## Lines across k

    /** Lines of no more elements than a panel has columns; what lacks is 0. */
    private String copy() {
        begin();
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
        lines.loop(l, in.form().lines(w, "%k"), null, Attributes.PLAIN_LOOP, () -> {
            String first = pairs == null ? l : w.times(l, 2);
            String start = from.address("%from", w.times(first, "%lead"));
            String to = v.address("%to", w.times(l, "%step"));
            String second = pairs == null ? null : w.is("slt", w.plus(first, "1"), "%k");
            List<String> line = new ArrayList<>();
            for (int i = 0; i < Tiles.WIDE; i++) {
                String at = from.address(start, Integer.toString(i * lanes));
                String mask = masks == null ? null : masks.get(i);
                line.add(pairs == null ? from.load(at, mask)
                        : pairs.across(at, "%lead", second, mask));
                v.store(line.getLast(), v.address(to, Integer.toString(i * lanes)), null);
                v.prefetch(from.address(at, ahead));
            }
            if (pairs != null) {
                pairs.look(line);
            }
        });
    }

    // ## One by one

    /** Elements however they lie: see {@link TileOperand}. */
    private String gather() {
        begin();
        String columns = Integer.toString(tiles.columns());
        String l = lines.fresh();
        lines.loop(l, in.form().lines(w, "%k"), null, Attributes.PLAIN_LOOP, () -> {
            String y = lines.fresh();
            lines.loop(y, "%count", null, Attributes.PLAIN_LOOP, () -> {
                String line = w.plus("%line", y);
                String to = v.address("%to", w.plus(w.times(l, "%step"), y));
                if (pairs == null) {
                    lines.add("store ", v.element(), " ", from.scalar(element(l, line, columns)),
                            ", ptr ", to);
                } else {
                    String first = w.times(l, 2);
                    String next = w.plus(first, "1");
                    String second = w.is("slt", next, "%k");
                    pairs.one(element(first, line, columns), element(w.pick(second, next, first),
                            line, columns), second, to);
                }
            });
        });
        return text("gather", GATHER);
    }

    /** The address of a term of a line. */
    private String element(String l, String line, String columns) {
        String term = w.plus("%k.from", l);
        String unit = w.pick("%along", term, line);
        String other = w.pick("%along", line, term);
        return from.address("%from", w.plus(w.plus(w.times(w.over(unit, columns), "%panel"),
                w.times(w.rest(unit, columns), "%unit")), w.times(other, "%lead")));
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
                    String start = from.address(o.base(), w.plus(w.plus(w.times(w.over("%line",
                            columns), o.panel()), place), w.times("%k.from", o.lead())));
                    call("copy", "ptr " + start, o.lead(), "%count", "%k", "ptr %to", "%step");
                }, () -> call("gather", "ptr " + o.base(), "i1 " + o.along(), o.unit(), o.lead(),
                        o.panel(), "%k.from", "%line", "%k", "%count", "ptr %to", "%step")));
        return text("pack", "ptr %operand, i64 %line, i64 %count, i64 %k.from, i64 %k, ptr %to, "
                + "i64 %step, ptr %least");
    }

    /** The last group of lines first: what it stores for lines that lack is overwritten. */
    private void turns(TileOperand o) {
        String start = from.address(o.base(), w.plus(w.times(w.over("%k.from",
                Integer.toString(tiles.columns())), o.panel()), w.times("%line", o.lead())));
        String groups = w.parts("%count", lanes);
        String i = lines.fresh();
        lines.loop(i, groups, null, () -> {
            String first = w.times(w.minus(w.minus(groups, "1"), i), lanes);
            String count = w.least(w.minus("%count", first), Integer.toString(lanes));
            call("turn", "ptr " + from.address(start, w.times(first, o.lead())), o.lead(), count,
                    "%k", o.panel(), "ptr " + v.address("%to", first), "%step");
        });
    }

    private void call(String name, String... arguments) {
        List<String> all = new ArrayList<>();
        for (String a : arguments) {
            all.add(a.contains(" ") ? a : "i64 " + a);
        }
        all.add("ptr %least");
        lines.add("call void @", name(in, name, side), "(", String.join(", ", all), ")");
    }
}
