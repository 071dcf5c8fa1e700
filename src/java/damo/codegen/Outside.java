package damo.codegen;

import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.TreeMap;
import java.util.function.Supplier;

/**
 * What the steps of one program call outside of its module, as they ask for it while they are
 * written: functions of libraries and of the application, and modules that programs share.
 */
final class Outside {
    private final Map<String, String> declarations = new LinkedHashMap<>();
    private final Map<String, String> externals;
    private final Map<String, LlvmModule> shared;

    Outside() {
        this(new LinkedHashMap<>(), new TreeMap<>());
    }

    private Outside(Map<String, String> externals, Map<String, LlvmModule> shared) {
        this.externals = externals;
        this.shared = shared;
    }

    /** The same for another text of the module, which has declarations of its own. */
    Outside another() {
        return new Outside(externals, shared);
    }

    /** Asks for a function of another text of the module. */
    void inside(String symbol, String declaration) {
        declarations.put(symbol, declaration);
    }

    /**
     * Asks for a function of a library, which is "" for the application; {@code declaration} has
     * its types: {@code "i32 @f(i32)"}.
     */
    void call(String library, String symbol, String declaration) {
        externals.put(symbol, library);
        declarations.put(symbol, declaration);
    }

    /** The same for what the texts of kernels declare themselves. */
    void call(String library, String symbol) {
        externals.put(symbol, library);
    }

    /** Asks for a function that a module of its own defines. */
    void share(String symbol, String declaration, Supplier<LlvmModule> module) {
        if (!shared.containsKey(symbol)) {
            shared.put(symbol, module.get());
        }
        declarations.put(symbol, declaration);
    }

    /** All declarations, in the order in which they were asked for. */
    String declarations() {
        StringBuilder text = new StringBuilder();
        declarations.values().forEach(d -> text.append("declare ").append(d).append('\n'));
        return text.toString();
    }

    /** The symbols, each with its library; see {@link LlvmModule}. */
    Map<String, String> externals() {
        return Collections.unmodifiableMap(externals);
    }

    /** The modules that define shared functions, by name. */
    Map<String, LlvmModule> shared() {
        return shared;
    }
}
