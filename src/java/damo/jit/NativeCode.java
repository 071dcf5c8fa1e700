package damo.jit;

import damo.DamoException;
import damo.codegen.Codegen;
import damo.lib.Blas;
import damo.program.Program;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.List;

/**
 * The machine code of one program. Its functions follow docs/program.md; they may be called from
 * many threads at once. {@link #close} frees the code: nobody may be inside it then, nor call it
 * later.
 */
public final class NativeCode implements AutoCloseable {
    private final String ir;
    private final long entry;
    private final long repeat;
    private long jit;

    private NativeCode(String ir, long jit, long entry, long repeat) {
        this.ir = ir;
        this.jit = jit;
        this.entry = entry;
        this.repeat = repeat;
    }

    /**
     * Compiles a program for this machine. Throws kind {@code "codegen"} when something in it
     * cannot be translated, {@code "missing-library"} when LLVM or a BLAS that it needs is absent.
     */
    public static NativeCode compile(Program program) {
        if (program.steps().stream().anyMatch(step -> step instanceof Program.Gemm)) {
            Blas.preload();
        }
        Codegen.Module module = Codegen.module(program, Host.get().vectorBits());
        return link(module.text(), module.externals());
    }

    /** The same for IR text that defines {@code damo_call} and {@code damo_repeat} itself. */
    public static NativeCode compile(String ir) {
        return link(ir, List.of());
    }

    private static NativeCode link(String ir, List<String> externals) {
        long object = Compiler.object(ir);
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment out = arena.allocate(ValueLayout.JAVA_LONG);
            Llvm.check(create(out), "start its linker");
            long jit = out.get(ValueLayout.JAVA_LONG, 0);
            try {
                long library = Llvm.call("LLVMOrcLLJITGetMainJITDylib", jit);
                define(arena, jit, library, externals);
                long error = Llvm.call("LLVMOrcLLJITAddObjectFile", jit, library, object);
                object = 0;
                Llvm.check(error, "link the machine code");
                return new NativeCode(ir, jit, lookup(arena, jit, "damo_call"),
                        lookup(arena, jit, "damo_repeat"));
            } catch (RuntimeException | Error e) {
                Llvm.call("LLVMOrcDisposeLLJIT", jit);
                throw e;
            }
        } finally {
            if (object != 0) {
                Llvm.call("LLVMDisposeMemoryBuffer", object);
            }
        }
    }

    private static long create(MemorySegment out) {
        long builder = Llvm.call("LLVMOrcCreateLLJITBuilder");
        long targetBuilder = Llvm.call("LLVMOrcJITTargetMachineBuilderCreateFromTargetMachine",
                Host.get().machine());
        Llvm.call("LLVMOrcLLJITBuilderSetJITTargetMachineBuilder", builder, targetBuilder);
        return Llvm.call("LLVMOrcCreateLLJIT", out.address(), builder);
    }

    /** Gives the linker the addresses of the BLAS functions that the code calls. */
    private static void define(Arena arena, long jit, long library, List<String> externals) {
        if (externals.isEmpty()) {
            return;
        }
        // One entry: symbol name, address, flags (exported | callable), padded to 8 bytes.
        int words = 3;
        MemorySegment pairs =
                arena.allocate(ValueLayout.JAVA_LONG, (long) words * externals.size());
        long session = Llvm.call("LLVMOrcLLJITGetExecutionSession", jit);
        for (int i = 0; i < externals.size(); i++) {
            String name = externals.get(i);
            long address = Blas.get().address(name).address();
            pairs.setAtIndex(ValueLayout.JAVA_LONG, (long) words * i,
                    Llvm.call("LLVMOrcExecutionSessionIntern", session, Llvm.string(arena, name)));
            pairs.setAtIndex(ValueLayout.JAVA_LONG, (long) words * i + 1, address);
            pairs.setAtIndex(ValueLayout.JAVA_LONG, (long) words * i + 2, 1 | 1 << 2);
        }
        long unit = Llvm.call("LLVMOrcAbsoluteSymbols", pairs.address(), externals.size());
        Llvm.check(Llvm.call("LLVMOrcJITDylibDefine", library, unit), "bind the BLAS functions");
    }

    private static long lookup(Arena arena, long jit, String name) {
        MemorySegment out = arena.allocate(ValueLayout.JAVA_LONG);
        Llvm.check(Llvm.call("LLVMOrcLLJITLookup", jit, out.address(), Llvm.string(arena, name)),
                "link " + name);
        return out.get(ValueLayout.JAVA_LONG, 0);
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
        if (jit == 0) {
            throw new DamoException("closed", "the machine code of this program was freed");
        }
        return MemorySegment.ofAddress(function);
    }

    /** The IR text before LLVM's passes. */
    public String ir() {
        return ir;
    }

    /** The assembly text for this machine, made anew by each call (some 50 ms). */
    public String assembly() {
        return Compiler.assembly(ir);
    }

    @Override
    public synchronized void close() {
        if (jit != 0) {
            long error = Llvm.call("LLVMOrcDisposeLLJIT", jit);
            jit = 0;
            Llvm.check(error, "free the machine code");
        }
    }
}
