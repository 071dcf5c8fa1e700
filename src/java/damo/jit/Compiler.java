package damo.jit;

import damo.DamoException;
import damo.codegen.LlvmModule;
import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.MethodType;
import java.nio.charset.StandardCharsets;

/**
 * One compilation: IR text in, an object file or assembly text out. Owns a context, a module and a
 * target machine, all disposed of by {@link #close}; used by one thread.
 */
final class Compiler implements AutoCloseable {
    private static final int RETURN_STATUS = 2;
    private static final int ASSEMBLY = 0;
    private static final int OBJECT = 1;

    private final Arena arena = Arena.ofConfined();
    private final MemorySegment out = arena.allocate(ValueLayout.JAVA_LONG);
    private final MemorySegment message = arena.allocate(ValueLayout.JAVA_LONG);
    private final long context = Llvm.call("LLVMContextCreate");
    private final Tier tier;
    private final long machine;
    private long module;

    private Compiler(Tier tier) {
        this.tier = tier;
        this.machine = tier.take();
        Diagnostics.install(context);
    }

    /** The object file of a text. */
    static byte[] object(LlvmModule.Text text) {
        return compile(text, OBJECT);
    }

    /** The assembly text of a text. */
    static String assembly(LlvmModule.Text text) {
        return new String(compile(text, ASSEMBLY), StandardCharsets.UTF_8);
    }

    /** What a quick tier refuses, a frame that is too large for one, may fit with the other. */
    private static byte[] compile(LlvmModule.Text text, int kind) {
        Tier tier = Tier.of(text);
        if (tier != Tier.LOOPS) {
            try {
                return compile(text.ir(), kind, tier);
            } catch (DamoException e) {
                return compile(text.ir(), kind, Tier.LOOPS);
            }
        }
        return compile(text.ir(), kind, tier);
    }

    private static byte[] compile(String ir, int kind, Tier tier) {
        Diagnostics.clear();
        try (Compiler compiler = new Compiler(tier)) {
            compiler.parse(ir);
            compiler.verify();
            compiler.optimise();
            return compiler.emit(kind);
        }
    }

    private void parse(String ir) {
        byte[] bytes = ir.getBytes(StandardCharsets.UTF_8);
        MemorySegment text = arena.allocate(bytes.length + 1L);
        MemorySegment.copy(bytes, 0, text, ValueLayout.JAVA_BYTE, 0, bytes.length);
        long buffer = Llvm.call("LLVMCreateMemoryBufferWithMemoryRange", text.address(),
                bytes.length, Llvm.string(arena, "damo"), 1);
        if (Llvm.callInt("LLVMParseIRInContext", context, buffer, out.address(),
                message.address()) != 0) {
            throw Llvm.failure("read the generated code", takeMessage());
        }
        module = out.get(ValueLayout.JAVA_LONG, 0);
        // New values need no names, unlike those that the text names: that saves a tenth.
        Llvm.call("LLVMContextSetDiscardValueNames", context, 1);
        Llvm.call("LLVMSetTarget", module, Llvm.string(arena, Host.get().triple()));
        long layout = Llvm.call("LLVMCreateTargetDataLayout", machine);
        Llvm.call("LLVMSetModuleDataLayout", module, layout);
        Llvm.call("LLVMDisposeTargetData", layout);
    }

    private void verify() {
        int broken = Llvm.callInt("LLVMVerifyModule", module, RETURN_STATUS, message.address());
        String text = takeMessage();
        if (broken != 0) {
            throw Llvm.failure("accept the generated code", text);
        }
    }

    private void optimise() {
        if (tier.passes().isEmpty()) {
            return;
        }
        long options = Llvm.call("LLVMCreatePassBuilderOptions");
        try {
            Llvm.check(Llvm.call("LLVMRunPasses", module, Llvm.string(arena, tier.passes()),
                    machine, options), "optimise the generated code");
        } finally {
            Llvm.call("LLVMDisposePassBuilderOptions", options);
        }
        Diagnostics.check("optimise the generated code");
    }

    @SuppressWarnings("restricted")
    private byte[] emit(int kind) {
        if (Llvm.callInt("LLVMTargetMachineEmitToMemoryBuffer", machine, module, kind,
                message.address(), out.address()) != 0) {
            throw Llvm.failure("emit machine code", takeMessage());
        }
        long buffer = out.get(ValueLayout.JAVA_LONG, 0);
        try {
            Diagnostics.check("emit machine code");
            return MemorySegment.ofAddress(Llvm.call("LLVMGetBufferStart", buffer))
                    .reinterpret(Llvm.call("LLVMGetBufferSize", buffer))
                    .toArray(ValueLayout.JAVA_BYTE);
        } finally {
            Llvm.call("LLVMDisposeMemoryBuffer", buffer);
        }
    }

    private String takeMessage() {
        String text = Llvm.takeMessage(message.get(ValueLayout.JAVA_LONG, 0));
        message.set(ValueLayout.JAVA_LONG, 0, 0);
        return text;
    }

    @Override
    public void close() {
        if (module != 0) {
            Llvm.call("LLVMDisposeModule", module);
        }
        Llvm.call("LLVMContextDispose", context);
        tier.giveBack(machine);
        arena.close();
    }

    /**
     * LLVM's error messages of this thread's compilation. Without a handler LLVM ends the process
     * at the first error that a code generator reports.
     */
    private static final class Diagnostics {
        private static final int SEVERITY_ERROR = 0;
        /** What LLVM says of a function that breaks its "warn-stack-size". */
        private static final String STACK = "stack frame size";
        private static final ThreadLocal<StringBuilder> ERRORS =
                ThreadLocal.withInitial(StringBuilder::new);
        private static final long HANDLER = stub();

        static void install(long context) {
            Llvm.call("LLVMContextSetDiagnosticHandler", context, HANDLER, 0);
        }

        static void clear() {
            ERRORS.get().setLength(0);
        }

        static void check(String doing) {
            if (!ERRORS.get().isEmpty()) {
                throw Llvm.failure(doing, ERRORS.get().toString());
            }
        }

        /**
         * Called by LLVM; an exception must not leave it. Warnings and remarks are passed over, but
         * for frames that are too large.
         */
        private static void diagnose(long info, long unused) {
            try {
                boolean error = Llvm.callInt("LLVMGetDiagInfoSeverity", info) == SEVERITY_ERROR;
                String text = Llvm.takeMessage(Llvm.call("LLVMGetDiagInfoDescription", info));
                if (error || text.contains(STACK)) {
                    ERRORS.get().append(text).append('\n');
                }
            } catch (RuntimeException e) {
                ERRORS.get().append(e).append('\n');
            }
        }

        @SuppressWarnings("restricted")
        private static long stub() {
            try {
                var method = MethodHandles.lookup().findStatic(Diagnostics.class, "diagnose",
                        MethodType.methodType(void.class, long.class, long.class));
                return Linker.nativeLinker().upcallStub(method, FunctionDescriptor.ofVoid(
                        ValueLayout.JAVA_LONG, ValueLayout.JAVA_LONG), Arena.global()).address();
            } catch (ReflectiveOperationException e) {
                throw new ExceptionInInitializerError(e);
            }
        }
    }
}
