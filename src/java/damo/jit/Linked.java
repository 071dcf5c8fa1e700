package damo.jit;

import damo.DamoException;
import damo.codegen.LlvmModule;
import damo.codegen.Parallel;
import damo.codegen.Scratch;
import damo.lib.Lazy;
import damo.lib.Libraries;
import damo.tensor.Lasting;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;

/** One module compiled and linked into this process: machine code, and the linker that owns it. */
final class Linked implements AutoCloseable {
    /** The shared functions of all programs so far; they stay until the process ends. */
    private static final Map<String, Linked> SHARED = new ConcurrentHashMap<>();

    /** What products pack into where the system has no memory for them. */
    private static final Lazy<Long> FIRST_BLOCK = new Lazy<>(() -> Lasting.allocate(Scratch.BYTES,
            "the operands of matrix products"));

    private final long jit;

    private Linked(long jit) {
        this.jit = jit;
    }

    /**
     * Compiles a module and links it with what it declares: functions of the application, whose
     * addresses are {@code given} by name, and of libraries. Throws kind {@code "codegen"} with
     * LLVM's message, {@code "missing-library"} when a library or one of its functions is absent,
     * {@code "out-of-memory"} where there is none for what products need.
     */
    static Linked link(LlvmModule module, Map<String, Long> given) {
        List<byte[]> objects = objects(module.texts());
        try (Arena arena = Arena.ofConfined()) {
            Map<String, Long> addresses = addresses(module, given);
            Linked code = new Linked(create(arena));
            try {
                long library = Llvm.call("LLVMOrcLLJITGetMainJITDylib", code.jit);
                code.define(arena, library, addresses);
                for (byte[] object : objects) {
                    Llvm.check(Llvm.call("LLVMOrcLLJITAddObjectFile", code.jit, library,
                            buffer(object)), "link the machine code");
                }
                return code;
            } catch (RuntimeException | Error e) {
                code.close();
                throw e;
            }
        }
    }

    /** What became of one text: an object file, or why there is none. */
    private record Made(byte[] object, DamoException failure) {
        static Made of(CodeCache cache, LlvmModule.Text text) {
            try {
                return new Made(cache.object(text), null);
            } catch (DamoException e) {
                return new Made(null, e);
            }
        }
    }

    /** The object files of texts, found or made side by side on all cores. */
    private static List<byte[]> objects(List<LlvmModule.Text> texts) {
        CodeCache cache = CodeCache.get();
        List<Made> made = texts.parallelStream().map(text -> Made.of(cache, text)).toList();
        for (Made m : made) {
            if (m.failure != null) {
                throw m.failure;
            }
        }
        return made.stream().map(Made::object).toList();
    }

    /** A memory buffer of LLVM's with those bytes, owned by who takes it. */
    private static long buffer(byte[] object) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment bytes = arena.allocate(object.length);
            MemorySegment.copy(object, 0, bytes, ValueLayout.JAVA_BYTE, 0, object.length);
            return Llvm.call("LLVMCreateMemoryBufferWithMemoryRangeCopy", bytes.address(),
                    object.length, Llvm.string(arena, "damo"));
        }
    }

    /** The addresses of what a module declares; functions that it shares are compiled if new. */
    private static Map<String, Long> addresses(LlvmModule module, Map<String, Long> given) {
        Map<String, Long> addresses = new LinkedHashMap<>();
        module.externals().forEach((name, library) -> addresses.put(name, switch (library) {
            case "" -> given.get(name);
            case Parallel.PROCESS -> name.equals(Scratch.FIRST) ? FIRST_BLOCK.get()
                    : Pool.address();
            default -> Libraries.address(library, name).address();
        }));
        module.shared().forEach((name, definition) ->
                addresses.put(name, shared(name, definition).address(name)));
        return addresses;
    }

    /** The code of a module that programs share, by the name of a function; compiled if new. */
    static Linked shared(String name, LlvmModule definition) {
        Linked code = SHARED.get(name);
        if (code != null) {
            return code;
        }
        // Not inside the map's own lock: two threads may do this twice, but never wait.
        Linked made = link(definition, Map.of());
        code = SHARED.putIfAbsent(name, made);
        if (code == null) {
            return made;
        }
        made.close();
        return code;
    }

    private static long create(Arena arena) {
        MemorySegment out = arena.allocate(ValueLayout.JAVA_LONG);
        long builder = Llvm.call("LLVMOrcCreateLLJITBuilder");
        long targetBuilder = Llvm.call("LLVMOrcJITTargetMachineBuilderCreateFromTargetMachine",
                Host.get().machine(0));
        Llvm.call("LLVMOrcLLJITBuilderSetJITTargetMachineBuilder", builder, targetBuilder);
        Llvm.check(Llvm.call("LLVMOrcCreateLLJIT", out.address(), builder), "start its linker");
        return out.get(ValueLayout.JAVA_LONG, 0);
    }

    /** Gives the linker the addresses of functions outside the module. */
    private void define(Arena arena, long library, Map<String, Long> addresses) {
        if (addresses.isEmpty()) {
            return;
        }
        // One entry: symbol name, address, flags (exported | callable), padded to 8 bytes.
        int words = 3;
        MemorySegment pairs =
                arena.allocate(ValueLayout.JAVA_LONG, (long) words * addresses.size());
        long session = Llvm.call("LLVMOrcLLJITGetExecutionSession", jit);
        long i = 0;
        for (Map.Entry<String, Long> function : addresses.entrySet()) {
            long name = Llvm.call("LLVMOrcExecutionSessionIntern", session,
                    Llvm.string(arena, function.getKey()));
            pairs.setAtIndex(ValueLayout.JAVA_LONG, i++, name);
            pairs.setAtIndex(ValueLayout.JAVA_LONG, i++, function.getValue());
            pairs.setAtIndex(ValueLayout.JAVA_LONG, i++, 1 | 1 << 2);
        }
        long unit = Llvm.call("LLVMOrcAbsoluteSymbols", pairs.address(), addresses.size());
        Llvm.check(Llvm.call("LLVMOrcJITDylibDefine", library, unit), "bind library functions");
    }

    /** The address of a function that the module defines; throws kind {@code "codegen"}. */
    long address(String name) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment out = arena.allocate(ValueLayout.JAVA_LONG);
            Llvm.check(Llvm.call("LLVMOrcLLJITLookup", jit, out.address(),
                    Llvm.string(arena, name)), "link " + name);
            return out.get(ValueLayout.JAVA_LONG, 0);
        }
    }

    /** Frees the code; to be called once. */
    @Override
    public void close() {
        Llvm.check(Llvm.call("LLVMOrcDisposeLLJIT", jit), "free the machine code");
    }
}
