package damo.jit;

import damo.DamoException;
import damo.codegen.Codegen;
import damo.codegen.LibraryUse;
import damo.codegen.LlvmModule;
import damo.lib.Blas;
import damo.program.Program;
import damo.program.Step;
import damo.tensor.DType;
import damo.tensor.Panels;
import java.lang.foreign.MemorySegment;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;

/**
 * The machine code of one program. Its functions follow docs/program.md; they may be called from
 * many threads at once. {@link #close} frees the code: nobody may be inside it then, nor call it
 * later.
 */
public final class NativeCode implements AutoCloseable {
    private final LlvmModule module;
    private final Linked code;
    private final long entry;
    private final long repeat;
    private boolean closed;

    private NativeCode(LlvmModule module, Linked code, long entry, long repeat) {
        this.module = module;
        this.code = code;
        this.entry = entry;
        this.repeat = repeat;
    }

    /**
     * Compiles a program for this machine. Throws kind {@code "codegen"} when something in it
     * cannot be translated, {@code "missing-library"} when LLVM or a BLAS that it needs is absent.
     */
    public static NativeCode compile(Program program) {
        return compile(program, Map.of());
    }

    /**
     * The same for a program that calls functions of the application, whose addresses are given by
     * their symbols ({@link damo.codegen.Foreign}); they must stay valid as long as the code.
     */
    public static NativeCode compile(Program program, Map<String, Long> addresses) {
        return compile(program, addresses, false);
    }

    /** The same in half the time, when {@code quick}, for code that may run longer. */
    public static NativeCode compile(Program program, Map<String, Long> addresses,
                                     boolean quick) {
        if (program.all().stream().anyMatch(step -> "blas".equals(step.library()))) {
            Blas.preload();
        }
        Host host = Host.get();
        LlvmModule module = Codegen.module(program, host.forCode(),
                multiplies(program) ? ProductChoice.get().library() : LibraryUse.NONE);
        return link(quick ? module.quick() : module, addresses);
    }

    private static boolean multiplies(Program program) {
        return program.all().stream().anyMatch(Step.Gemm.class::isInstance);
    }

    /** The same for IR text that defines {@code damo_call} and {@code damo_repeat} itself. */
    public static NativeCode compile(String ir) {
        return compile(new LlvmModule(List.of(new LlvmModule.Text(ir,
                LlvmModule.Kind.LOOPS)), Map.of(), Map.of()));
    }

    /** The same for a module that calls no functions of the application. */
    public static NativeCode compile(LlvmModule module) {
        return link(module, Map.of());
    }

    /** The columns of a panel on this machine, {@link Panels}. */
    public static int panelWidth(DType t) {
        return Panels.width(t, Host.get().vectorBits());
    }

    private static NativeCode link(LlvmModule module, Map<String, Long> addresses) {
        Linked code = Linked.link(module, addresses);
        try {
            return new NativeCode(module, code, code.address("damo_call"),
                    code.address("damo_repeat"));
        } catch (RuntimeException | Error e) {
            code.close();
            throw e;
        }
    }

    /** The address of {@code damo_call}; throws kind {@code "closed"} after {@link #close}. */
    public synchronized MemorySegment entry() {
        return address(entry);
    }

    /** The address of {@code damo_repeat}; throws kind {@code "closed"} after {@link #close}. */
    public synchronized MemorySegment repeat() {
        return address(repeat);
    }

    private MemorySegment address(long function) {
        if (closed) {
            throw new DamoException("closed", "the machine code of this program was freed");
        }
        return MemorySegment.ofAddress(function);
    }

    /** The IR text before LLVM's passes, of all modules one after the other. */
    public String ir() {
        return module.text();
    }

    /** The assembly text for this machine, made anew by each call (50 ms and more). */
    public String assembly() {
        return module.texts().stream().map(Compiler::assembly).collect(Collectors.joining("\n"));
    }

    /** Frees the machine code; a second call does nothing. */
    @Override
    public synchronized void close() {
        if (!closed) {
            closed = true;
            code.close();
        }
    }
}
