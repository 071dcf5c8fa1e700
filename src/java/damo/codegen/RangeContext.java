package damo.codegen;

import java.util.ArrayList;
import java.util.List;

/**
 * The words, of 64 bits, by which a call tells other threads of a loop: what resources/damo/pool.ll
 * reads, then what every loop has, then the arguments of its range form.
 */
final class RangeContext {
    /** The function that runs a range, rounds a part, all rounds; the first part that failed. */
    static final int FUNCTION = 0;
    static final int STEP = 1;
    static final int ROUNDS = 2;
    static final int FIRST = 3;
    /** Where each part has four words for its failure; the record that says whether to stop. */
    static final int RECORDS = 4;
    static final int ASKED = 5;
    /** Blocks of scratch memory, a bit for each that is free, bytes of one. */
    static final int BLOCKS = 6;
    static final int FREE = 7;
    static final int BLOCK = 8;
    /** Where each part leaves what it has added up. */
    static final int PARTIALS = 9;
    private static final int ARGUMENTS = 10;

    private final List<String> types = new ArrayList<>();
    private final List<String> operands = new ArrayList<>();

    /** An argument of the range form: an LLVM type and the operand in the function that calls. */
    void argument(String type, String operand) {
        types.add(type);
        operands.add(operand);
    }

    /** The arguments as a call has them. */
    List<String> arguments() {
        List<String> all = new ArrayList<>();
        for (int i = 0; i < types.size(); i++) {
            all.add(types.get(i) + " " + operands.get(i));
        }
        return all;
    }

    /** How many words it has. */
    int words() {
        return ARGUMENTS + types.size();
    }

    /** Appends what puts these arguments into the context at an address. */
    void fill(Lines lines, String context) {
        for (int i = 0; i < types.size(); i++) {
            put(lines, context, ARGUMENTS + i, types.get(i), operands.get(i));
        }
    }

    /** Appends the arguments as a function finds them in its context. */
    List<String> found(Lines lines) {
        List<String> all = new ArrayList<>();
        for (int i = 0; i < types.size(); i++) {
            all.add(types.get(i) + " " + get(lines, "%context", ARGUMENTS + i, types.get(i)));
        }
        return all;
    }

    /** Appends a store of a word. */
    static void put(Lines lines, String context, int word, String type, String operand) {
        lines.add("store ", type, " ", operand, ", ptr ", address(lines, context, word));
    }

    /** Appends a load of a word; returns the value. */
    static String get(Lines lines, String context, int word, String type) {
        return lines.value("load ", type, ", ptr ", address(lines, context, word));
    }

    /** Appends what gives the address of a word. */
    static String address(Lines lines, String context, int word) {
        return lines.value("getelementptr inbounds i64, ptr ", context, ", i64 ",
                Integer.toString(word));
    }
}
