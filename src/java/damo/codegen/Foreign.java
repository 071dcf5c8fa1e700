package damo.codegen;

import damo.program.Kernel;
import damo.program.Needs;
import damo.program.Program;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** The functions of the application that a program's code calls, as LLVM sees them. */
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

    /** Tells {@code outside} of the functions that kernels call. */
    static void tell(Program program, Outside outside) {
        Needs.natives(program).keySet().forEach(op -> outside.call("", nativeSymbol(op)));
    }

    /** The declarations that kernels may need, by symbol as LLVM's text has it. */
    static Map<String, String> nativeDeclarations(Program program) {
        Map<String, String> declarations = new LinkedHashMap<>();
        Needs.natives(program).forEach((op, call) -> {
            List<String> args = call.args().stream().map(Kernel.Expr::dtype).map(Types::value)
                    .toList();
            declarations.put(symbol(op), "declare " + Types.value(call.dtype()) + " " + symbol(op)
                    + "(" + String.join(", ", args) + ")\n");
        });
        return declarations;
    }
}
