package damo.codegen;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/**
 * An LLVM module: its text; the texts of further modules that define what it calls, each of
 * which can be compiled by itself; the functions of libraries and of the application that it
 * declares, each with its library, which is "" for the application; and those of other
 * functions that it declares, each with the module that defines it. The latter are the same,
 * name for name, in all modules for one width of vectors.
 */
public record LlvmModule(String text, List<String> parts, Map<String, String> externals,
                     Map<String, LlvmModule> shared) {
    /** All texts of the module, its own first. */
    public List<String> texts() {
        List<String> all = new ArrayList<>(List.of(text));
        all.addAll(parts);
        return all;
    }
}
