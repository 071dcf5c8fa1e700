package damo.codegen;

import java.util.ArrayList;
import java.util.List;

/**
 * A square of values turned: as many vectors as a vector has lanes. First inside of each part of
 * 128 bits, where the machine interleaves two vectors with one instruction, then part by part.
 */
final class TileTranspose {
    private static final int PART = 128;

    private final Vectors v;
    private final int lanes;
    private final int part;

    /** Of vectors of {@code lanes} elements of so many bits. */
    TileTranspose(Vectors v, int lanes, int bits) {
        this.v = v;
        this.lanes = lanes;
        this.part = PART / bits;
    }

    /** The columns of some rows. */
    List<String> columns(List<String> rows) {
        List<String> turned = new ArrayList<>(rows);
        for (int group = 0; group < lanes; group += part) {
            List<String> inside = inside(rows.subList(group, group + part));
            for (int j = 0; j < part; j++) {
                turned.set(group + j, inside.get(j));
            }
        }
        List<String> columns = new ArrayList<>(rows);
        for (int j = 0; j < part; j++) {
            List<String> parts = new ArrayList<>();
            for (int group = 0; group < lanes; group += part) {
                parts.add(turned.get(group + j));
            }
            List<String> whole = across(parts);
            for (int q = 0; q < whole.size(); q++) {
                columns.set(q * part + j, whole.get(q));
            }
        }
        return columns;
    }

    /** Rows as many as a part has elements: in each part number j gets their elements of j. */
    private List<String> inside(List<String> rows) {
        List<String> first = pairs(rows.get(0), rows.get(1), 1);
        if (rows.size() == 2) {
            return first;
        }
        List<String> second = pairs(rows.get(2), rows.get(3), 1);
        List<String> columns = new ArrayList<>(pairs(first.get(0), second.get(0), 2));
        columns.addAll(pairs(first.get(1), second.get(1), 2));
        return columns;
    }

    /** The low, and the high, halves of each part, in runs of {@code run} elements by turns. */
    private List<String> pairs(String x, String y, int run) {
        return List.of(v.mix(x, y, i -> interleaved(i, run, 0)),
                v.mix(x, y, i -> interleaved(i, run, part / 2)));
    }

    private int interleaved(int lane, int run, int half) {
        int start = lane / part * part;
        int place = lane % part;
        int element = place / (2 * run) * run + place % run;
        return start + half + element + (place / run % 2 == 0 ? 0 : lanes);
    }

    /** The same of whole parts: number q gets part q of each value. */
    private List<String> across(List<String> values) {
        if (values.size() == 1) {
            return values;
        }
        List<String> even = new ArrayList<>();
        List<String> odd = new ArrayList<>();
        for (int i = 0; i < values.size(); i += 2) {
            even.add(parts(values.get(i), values.get(i + 1), 0));
            odd.add(parts(values.get(i), values.get(i + 1), 1));
        }
        List<String> first = across(even);
        List<String> second = across(odd);
        List<String> all = new ArrayList<>();
        for (int i = 0; i < first.size(); i++) {
            all.add(first.get(i));
            all.add(second.get(i));
        }
        return all;
    }

    /** The even, or the odd, parts of two values. */
    private String parts(String x, String y, int odd) {
        return v.mix(x, y, i -> (i / part * 2 + odd) * part + i % part);
    }
}
