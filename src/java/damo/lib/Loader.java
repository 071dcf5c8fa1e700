package damo.lib;

import damo.DamoException;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SymbolLookup;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.regex.Pattern;

/** The system's loader of libraries, and why it refuses one, which Java does not tell. */
final class Loader {
    private static final int LAZY = 1;
    private static final Pattern NO_ROOM =
            Pattern.compile("(?i)cannot allocate memory|failed to map segment");

    private Loader() { }

    /**
     * The symbols of a library file, which stays open for ever. Throws kind {@code "out-of-memory"}
     * when there is no room for it, else {@code "missing-library"}.
     */
    @SuppressWarnings("restricted")
    static SymbolLookup open(Path library) {
        try {
            return SymbolLookup.libraryLookup(library, Arena.global());
        } catch (IllegalArgumentException e) {
            throw refused(library, reason(library), e);
        }
    }

    /**
     * Refuses with kind {@code "out-of-memory"} when the process has no addresses left for those
     * files of a folder all together: a library that opens others itself may end the process then.
     */
    static void checkRoom(Path folder, List<String> files) {
        Path asked = folder;
        try (Arena arena = Arena.ofConfined()) {
            for (String file : files) {
                asked = folder.resolve(file);
                try (FileChannel channel = FileChannel.open(asked)) {
                    channel.map(FileChannel.MapMode.READ_ONLY, 0, channel.size(), arena);
                }
            }
        } catch (IOException | OutOfMemoryError e) {
            throw refused(asked, "cannot allocate memory: " + e.getMessage(), e);
        }
    }

    private static DamoException refused(Path library, String reason, Throwable cause) {
        Map<String, Object> data = Map.of("file", library.toString(), "reason", reason);
        if (NO_ROOM.matcher(reason).find()) {
            return new DamoException("out-of-memory", "memory is short: the system finds no room "
                    + "for the library " + library + " (" + reason + "); raise the limit of this "
                    + "process (ulimit -v shows that of its addresses) or give Java a smaller heap "
                    + "(-Xmx); a file system mounted noexec is refused in the same words",
                    data, cause);
        }
        return new DamoException("missing-library", "the system's loader refuses " + library + " ("
                + reason + "): it may be damaged (delete it, it will be unpacked again), lie on a"
                + " file system mounted noexec, or need a system library that is not installed (ldd"
                + " shows which; LLVM needs libstdc++ and libz)", data, cause);
    }

    /** What the loader says when it is asked once more. */
    @SuppressWarnings("restricted")
    private static String reason(Path library) {
        try (Arena arena = Arena.ofConfined()) {
            MethodHandle open = handle("dlopen", FunctionDescriptor.of(ValueLayout.ADDRESS,
                    ValueLayout.ADDRESS, ValueLayout.JAVA_INT));
            MethodHandle error = handle("dlerror", FunctionDescriptor.of(ValueLayout.ADDRESS));
            var ignored = (MemorySegment) open.invokeExact(arena.allocateFrom(library.toString()),
                    LAZY);
            var text = (MemorySegment) error.invokeExact();
            return text.address() == 0 ? "for no reason that it gives"
                    : text.reinterpret(Long.MAX_VALUE).getString(0);
        } catch (Throwable e) {
            return "for a reason that is not known: " + e;
        }
    }

    @SuppressWarnings("restricted")
    private static MethodHandle handle(String name, FunctionDescriptor type) {
        Linker linker = Linker.nativeLinker();
        return linker.downcallHandle(linker.defaultLookup().find(name).orElseThrow(), type);
    }
}
