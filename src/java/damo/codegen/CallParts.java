package damo.codegen;

import damo.program.Program;
import damo.program.Step;
import damo.verify.CallTable;
import damo.verify.Lifetimes;
import java.util.ArrayList;
import java.util.List;

/** What the functions of one program's call share while they are written, in order of the steps. */
final class CallParts {
    /** The parameters of each function, and what is passed on to another. */
    static final String PARAMETERS = "(ptr %buffers, ptr %dims, ptr %failure)";

    final Program program;
    final Kernels kernels;
    final Polls polls;
    final DimTable table;
    final CallTable words;
    final List<Step> steps;
    final CountWriter counts;
    final Lifetimes lives;
    /** The texts of loops, each of which is compiled by itself, without attributes. */
    final List<String> loops = new ArrayList<>();
    private final List<String> functions = new ArrayList<>();
    private int names;
    private int numbers;

    CallParts(Program program, Kernels kernels, Polls polls) {
        this.program = program;
        this.kernels = kernels;
        this.polls = polls;
        this.table = new DimTable(program);
        this.words = CallTable.of(program);
        this.steps = program.all();
        this.counts = new CountWriter(table);
        this.lives = Lifetimes.of(program);
    }

    /** The number of the next step: they are written in preorder. */
    int nextNumber() {
        return numbers++;
    }

    /** A name for a function, without {@code @}, which no other has. */
    String nextName(String base) {
        return base + "." + names++;
    }

    /** Puts a function with that body in; {@code linkage} is that of a definition. */
    void define(String linkage, String name, Lines body) {
        functions.add("define " + linkage + " i32 @" + name + PARAMETERS + " #0 {\n" + body.text()
                + "}\n");
    }

    /** The text of all functions that were put in. */
    String functions() {
        return functions.isEmpty() ? "" : String.join("\n", functions) + "\n";
    }
}
