package damo.codegen;

import damo.program.Needs;
import damo.program.Kernel;
import damo.program.Program;
import damo.program.Step;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** What a program's code calls outside of it, in the application and in libraries. */
public final class Foreign {
    /** The symbol of the function that runs a host step: its number in, a status out. */
    public static final String HOST = "damo_host";
    private static final String NATIVE = "damo.native";

    private Foreign() { }

    /** The symbol of the native function of an op, as the linker knows it. */
    public static String nativeSymbol(String op) {
        return NATIVE + "." + op;
    }

    /** The same as LLVM's text has it. */
    static String symbol(String op) {
        return Names.global(NATIVE, op);
    }

    /** The symbols that the module of a program needs, each with its library; see Module. */
    static Map<String, String> symbols(Program program) {
        Map<String, String> symbols = new LinkedHashMap<>();
        for (Step step : program.all()) {
            switch (step) {
                case Step.RunHost h -> symbols.put(HOST, "");
                case Step.Call c -> symbols.put(c.routine().symbol(), c.library());
                default -> { }
            }
        }
        Needs.natives(program).keySet().forEach(op -> symbols.put(nativeSymbol(op), ""));
        return Collections.unmodifiableMap(symbols);
    }

    /** The declaration that host steps need. */
    static String hostDeclaration(Program program) {
        return Needs.hosts(program).isEmpty() ? "" : "declare i32 @" + HOST + "(i32)\n";
    }

    /** The declarations that kernels need. */
    static String nativeDeclarations(Program program) {
        StringBuilder text = new StringBuilder();
        Needs.natives(program).forEach((op, call) -> {
            List<String> args = call.args().stream().map(Kernel.Expr::dtype).map(Types::value)
                    .toList();
            text.append("declare ").append(Types.value(call.dtype())).append(' ')
                    .append(symbol(op)).append('(').append(String.join(", ", args)).append(")\n");
        });
        return text.toString();
    }
}
