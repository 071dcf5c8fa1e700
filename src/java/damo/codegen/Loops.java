package damo.codegen;

import damo.program.Kernel;
import java.util.ArrayList;
import java.util.List;

/** Hints to LLVM's vectoriser on loops, collected as the metadata at the end of a module. */
final class Loops {
    private final List<String> nodes = new ArrayList<>();

    /** The end of the back edge's branch: {@code ", !llvm.loop !3"}, or nothing without hints. */
    String hints(Kernel.For loop) {
        return "";
    }

    /** The metadata of all loops so far. */
    String text() {
        return String.join("", nodes);
    }
}
