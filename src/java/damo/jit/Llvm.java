package damo.jit;

import damo.DamoException;
import damo.lib.Lazy;
import damo.lib.Natives;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SymbolLookup;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;

/**
 * LLVM's C functions by name. All parameters and results that Damo needs are pointers, sizes and
 * small integers, which the calling conventions of x86-64 and AArch64 pass alike in 64-bit
 * registers: so one method serves for all, pointers are {@code long}, and a process that compiles
 * little prepares few kinds of call.
 */
final class Llvm {
    private static final Natives.Group FILES = new Natives.Group("org/bytedeco/llvm",
            List.of("libLLVM.so"),
            "org.bytedeco/llvm 20.1.7-1.5.12, classifier " + Natives.platform());
    private static final Map<String, MethodHandle> HANDLES = new ConcurrentHashMap<>();

    private static final Lazy<Path> FILE =
            new Lazy<>(() -> Natives.unpack(FILES).resolve("libLLVM.so"));
    private static final Lazy<SymbolLookup> LIBRARY = new Lazy<>(() -> Natives.open(FILE.get()));
    private static final Lazy<String> IDENTITY = new Lazy<>(Llvm::identify);

    private Llvm() { }

    /** Calls a function; the result of a {@code void} function means nothing. */
    static long call(String function, long... args) {
        MethodHandle handle = HANDLES.computeIfAbsent(function, name -> handle(name, args.length));
        try {
            return (long) handle.invokeExact(args);
        } catch (Throwable e) {
            throw new DamoException("internal", "cannot call " + function + ": " + e, Map.of(), e);
        }
    }

    /** The same for a function that gives a C {@code int} or {@code LLVMBool}. */
    static int callInt(String function, long... args) {
        return (int) call(function, args);
    }

    @SuppressWarnings("restricted")
    private static MethodHandle handle(String function, int arity) {
        MemorySegment address = LIBRARY.get().find(function).orElseThrow(() ->
                new DamoException("missing-library", "libLLVM.so has no function " + function
                        + "; version 20 is needed", Map.of("function", function)));
        MemoryLayout[] parameters = new MemoryLayout[arity];
        Arrays.fill(parameters, ValueLayout.JAVA_LONG);
        return Linker.nativeLinker()
                .downcallHandle(address, FunctionDescriptor.of(ValueLayout.JAVA_LONG, parameters))
                .asSpreader(long[].class, arity);
    }

    /**
     * What tells this build of LLVM from others: its version, the folder it was unpacked to, which
     * is named after size and checksum, and the file's size.
     */
    static String identity() {
        return IDENTITY.get();
    }

    private static String identify() {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment version = arena.allocate(ValueLayout.JAVA_INT, 3);
            long address = version.address();
            call("LLVMGetVersion", address, address + Integer.BYTES, address + 2 * Integer.BYTES);
            return Arrays.toString(version.toArray(ValueLayout.JAVA_INT)) + " "
                    + FILE.get().getParent().getFileName() + " " + Files.size(FILE.get());
        } catch (IOException e) {
            throw new DamoException("io", "cannot look at " + FILE.get() + ": " + e, Map.of(), e);
        }
    }

    /** The address of a C string that lives as long as the arena. */
    static long string(Arena arena, String text) {
        return arena.allocateFrom(text).address();
    }

    /** The text at an address owned by LLVM, which is disposed of; the empty string for null. */
    static String takeMessage(long address) {
        if (address == 0) {
            return "";
        }
        try {
            return text(address);
        } finally {
            call("LLVMDisposeMessage", address);
        }
    }

    /** The C string at an address. */
    @SuppressWarnings("restricted")
    static String text(long address) {
        return MemorySegment.ofAddress(address).reinterpret(Long.MAX_VALUE).getString(0);
    }

    /** Throws kind {@code "codegen"} with LLVM's message when {@code error} is not null. */
    static void check(long error, String doing) {
        if (error != 0) {
            long message = call("LLVMGetErrorMessage", error);
            String text = text(message);
            call("LLVMDisposeErrorMessage", message);
            throw failure(doing, text);
        }
    }

    /** The exception for a step that LLVM refused. */
    static DamoException failure(String doing, String message) {
        return new DamoException("codegen", "LLVM cannot " + doing + ": " + message.strip(),
                Map.of("step", doing, "message", message));
    }
}
