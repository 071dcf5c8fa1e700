package damo.codegen;

import java.util.ArrayList;
import java.util.List;
import java.util.function.IntUnaryOperator;

/**
 * A tile of a matrix that is turned in registers. The longer of its sides is that of a vector.
 * Where the other one is shorter a vector holds several short lines, those that stand as far apart
 * as such a line is long, and the blocks of that width in all vectors are turned side by side.
 */
final class TurnedTile {
    /** Bytes of the lanes in which instructions shuffle elements. */
    private static final int LANE = 16;

    private final Lines lines;
    private final String element;
    private final int bytes;
    private final int rows;
    private final int columns;
    /** The elements of a vector, of a block in it, and of a lane of the block. */
    private final int side;
    private final int block;
    private final int lane;

    /** A tile that stores so many rows of so many columns, of elements of that LLVM type. */
    TurnedTile(Lines lines, String element, int bytes, int rows, int columns) {
        this.lines = lines;
        this.element = element;
        this.bytes = bytes;
        this.rows = rows;
        this.columns = columns;
        this.side = Math.max(rows, columns);
        this.block = Math.min(rows, columns);
        this.lane = Math.min(LANE / bytes, block);
    }

    /** The address of element (along, across) where a line is so long. */
    String at(String base, String along, String across, String line) {
        String lead = lines.value("mul nsw i64 ", across, ", ", line);
        return address(base, lines.value("add nsw i64 ", lead, ", ", along));
    }

    private String address(String base, String index) {
        return lines.value("getelementptr inbounds ", element, ", ptr ", base, ", i64 ", index);
    }

    private String line(String base, String length, int number) {
        return address(base, lines.value("mul nsw i64 ", length, ", " + number));
    }

    private String vector(int elements) {
        return "<" + elements + " x " + element + ">";
    }

    /** Appends the copy of a tile, given where its lines begin, and how far they lie apart. */
    void write(String from, String step, String to, String line) {
        List<String> values = new ArrayList<>();
        for (int q = 0; q < block; q++) {
            values.add(rows < columns ? joined(from, step, q, 0, side) : loaded(from, step, q));
        }
        values = across(groups(values));
        for (int q = 0; q < block; q++) {
            if (rows > columns) {
                storeParts(values.get(q), to, line, q);
            } else {
                store(values.get(q), side, line(to, line, q));
            }
        }
    }

    private String loaded(String from, String step, int number) {
        return lines.value("load ", vector(Math.min(rows, side)), ", ptr ",
                line(from, step, number), ", align ", Integer.toString(bytes));
    }

    /** The lines of blocks from element {@code first} of vector q to {@code end}, one vector. */
    private String joined(String from, String step, int q, int first, int end) {
        if (end - first == block) {
            return loaded(from, step, first + q);
        }
        int middle = (first + end) / 2;
        String x = joined(from, step, q, first, middle);
        String y = joined(from, step, q, middle, end);
        return shuffled(vector(middle - first), x, y, end - first, k -> k);
    }

    private void store(String value, int elements, String to) {
        lines.add("store ", vector(elements), " ", value, ", ptr ", to, ", align ",
                Integer.toString(bytes));
    }

    private void storeParts(String value, String to, String line, int q) {
        for (int start = 0; start < side; start += block) {
            int first = start;
            store(shuffled(vector(side), value, "poison", block, k -> first + k), block,
                    line(to, line, start + q));
        }
    }

    /** Lines in groups as large as a lane, each turned within lanes. */
    private List<List<String>> groups(List<String> values) {
        List<List<String>> groups = new ArrayList<>();
        for (int g = 0; g < block; g += lane) {
            groups.add(within(values.subList(g, g + lane)));
        }
        return groups;
    }

    /** As many lines as a lane has elements, turned in each lane: perfect shuffles. */
    private List<String> within(List<String> values) {
        List<String> now = values;
        int width = lane;
        for (int n = 1; n < width; n *= 2) {
            List<String> next = new ArrayList<>();
            for (int i = 0; i < width / 2; i++) {
                for (int start : new int[] {0, width / 2}) {
                    next.add(mix(now.get(i), now.get(i + width / 2), k -> k % 2 * side
                            + k / width * width + start + k % width / 2));
                }
            }
            now = next;
        }
        return now;
    }

    /** Turns groups as squares of lanes: line l·lane + k has lane l of line k of each group. */
    private List<String> across(List<List<String>> groups) {
        List<String> all = new ArrayList<>();
        List<List<String>> turned = new ArrayList<>();
        for (int k = 0; k < lane; k++) {
            int line = k;
            turned.add(lanes(groups.stream().map(g -> g.get(line)).toList()));
        }
        for (int l = 0; l < groups.size(); l++) {
            for (int k = 0; k < lane; k++) {
                all.add(turned.get(k).get(l));
            }
        }
        return all;
    }

    /** Values of which each result has one lane of each: the even ones apart from the odd ones. */
    private List<String> lanes(List<String> values) {
        if (values.size() == 1) {
            return values;
        }
        List<List<String>> halves = new ArrayList<>();
        for (int odd = 0; odd < 2; odd++) {
            int skip = odd;
            List<String> half = new ArrayList<>();
            for (int i = 0; i < values.size(); i += 2) {
                half.add(mix(values.get(i), values.get(i + 1), k -> everySecond(k, skip)));
            }
            halves.add(lanes(half));
        }
        List<String> all = new ArrayList<>();
        for (int i = 0; i < values.size(); i++) {
            all.add(halves.get(i % 2).get(i / 2));
        }
        return all;
    }

    /** Where element k is from when a block gets every second lane of its one and other source. */
    private int everySecond(int k, int skip) {
        int half = block / lane / 2;
        int place = k % block / lane;
        int source = place < half ? 0 : side;
        return source + k / block * block + (2 * (place % half) + skip) * lane + k % lane;
    }

    private String mix(String x, String y, IntUnaryOperator from) {
        return shuffled(vector(side), x, y, side, from);
    }

    private String shuffled(String type, String x, String y, int elements, IntUnaryOperator from) {
        StringBuilder mask = new StringBuilder();
        for (int k = 0; k < elements; k++) {
            mask.append(k == 0 ? "i32 " : ", i32 ").append(from.applyAsInt(k));
        }
        return lines.value("shufflevector ", type, " ", x, ", ", type, " ", y, ", <" + elements
                + " x i32> <", mask.toString(), ">");
    }
}
