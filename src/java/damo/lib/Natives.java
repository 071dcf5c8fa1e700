package damo.lib;

import damo.DamoException;
import java.io.IOException;
import java.io.InputStream;
import java.lang.foreign.Arena;
import java.lang.foreign.Linker;
import java.lang.foreign.SymbolLookup;
import java.net.JarURLConnection;
import java.net.URISyntaxException;
import java.net.URL;
import java.net.URLConnection;
import java.nio.file.AccessDeniedException;
import java.nio.file.AtomicMoveNotSupportedException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/**
 * Finds native libraries among the resources of the class path and opens them.
 *
 * <p>A library inside a jar is unpacked to a private cache: the folder of system property {@code
 * damo.cache}, else {@code $XDG_CACHE_HOME/damo}, else {@code ~/.cache/damo}, else (when that is
 * not writable) a fresh temporary folder. The name of the sub-folder holds size and checksum of the
 * group's first file, so versions never mix. A file appears under its final name only when it is
 * complete, by an atomic rename: two processes that start together both succeed. A file of the
 * right size is used as it is.
 */
public final class Natives {
    private static final String CACHE = "damo.cache";
    private static final Lazy<Path> TEMPORARY = new Lazy<>(Natives::temporary);

    private Natives() { }

    /**
     * Libraries that belong together and must lie in one folder.
     *
     * @param folder     resource folder, without platform: {@code "org/bytedeco/mkl"}
     * @param files      file names; the first one names the cache folder
     * @param dependency what to add to the class path when they are missing, for the message
     */
    public record Group(String folder, List<String> files, String dependency) { }

    /** This machine as the jars name it, for instance {@code "linux-x86_64"}. */
    public static String platform() {
        String os = System.getProperty("os.name").toLowerCase(Locale.ROOT);
        String arch = System.getProperty("os.arch").toLowerCase(Locale.ROOT);
        String system = os.startsWith("linux") ? "linux" : os.startsWith("mac") ? "macosx"
                : os.startsWith("windows") ? "windows" : os.replace(' ', '-');
        return system + "-" + switch (arch) {
            case "amd64", "x86_64" -> "x86_64";
            case "aarch64", "arm64" -> "arm64";
            default -> arch;
        };
    }

    /**
     * The folder where all files of the group lie, unpacked if need be. Throws kind {@code
     * "missing-library"} when the class path lacks one of them, {@code "io"} when no folder can be
     * written.
     */
    public static Path unpack(Group group) {
        URL first = resource(group, group.files().get(0));
        try {
            if (first.getProtocol().equals("file")) {
                return Path.of(first.toURI()).getParent();
            }
            Path folder = cacheFolder(folderName(group, first));
            Parts.sweep(folder);
            for (String file : group.files()) {
                unpack(resource(group, file), folder.resolve(file));
            }
            return folder;
        } catch (IOException | URISyntaxException e) {
            throw new DamoException("io", "cannot unpack " + group.files().get(0) + ": " + e
                    + "; name a writable folder with room for it with -Ddamo.cache=FOLDER",
                    Map.of("group", group.folder()), e);
        }
    }

    /**
     * The symbols of a library file, which stays open for ever. Throws kind {@code
     * "missing-library"} when the system cannot open it, {@code "out-of-memory"} when it has no
     * room for it.
     */
    public static SymbolLookup open(Path library) {
        return Loader.open(library);
    }

    /**
     * The symbols of a library by path, by a name that the system's loader knows, or, for the empty
     * name, of the C library; stays open for ever. Throws kind {@code "missing-library"}.
     */
    @SuppressWarnings("restricted")
    public static SymbolLookup named(String library) {
        try {
            return library.isEmpty() ? Linker.nativeLinker().defaultLookup()
                    : SymbolLookup.libraryLookup(library, Arena.global());
        } catch (IllegalArgumentException e) {
            throw new DamoException("missing-library", "the system's loader finds no library "
                    + library + "; give a path, or put its folder into LD_LIBRARY_PATH",
                    Map.of("library", library), e);
        }
    }

    /** Whether the class path holds every file of the group. */
    public static boolean available(Group group) {
        return group.files().stream().allMatch(file -> find(group, file) != null);
    }

    private static URL find(Group group, String file) {
        String name = group.folder() + "/" + platform() + "/" + file;
        ClassLoader context = Thread.currentThread().getContextClassLoader();
        URL url = context == null ? null : context.getResource(name);
        return url != null ? url : Natives.class.getClassLoader().getResource(name);
    }

    private static URL resource(Group group, String file) {
        URL url = find(group, file);
        if (url == null) {
            throw new DamoException("missing-library", "native library " + file + " for "
                    + platform() + " is not on the class path; add the dependency "
                    + group.dependency(), Map.of("file", file, "platform", platform(),
                            "dependency", group.dependency()));
        }
        return url;
    }

    private static String folderName(Group group, URL first) throws IOException {
        URLConnection connection = first.openConnection();
        long check = connection instanceof JarURLConnection jar ? jar.getJarEntry().getCrc() : 0;
        String family = group.folder().substring(group.folder().lastIndexOf('/') + 1);
        return family + "-" + Long.toHexString(connection.getContentLengthLong()) + "-"
                + Long.toHexString(check);
    }

    /** Where this machine keeps what Damo need not make again; it may not be there. */
    public static Path cache() {
        String property = System.getProperty(CACHE);
        String xdg = System.getenv("XDG_CACHE_HOME");
        return property != null ? Path.of(property)
                : xdg != null && !xdg.isEmpty() ? Path.of(xdg, "damo")
                : Path.of(System.getProperty("user.home"), ".cache", "damo");
    }

    private static Path cacheFolder(String name) throws IOException {
        try {
            Path folder = Files.createDirectories(cache().resolve(name));
            if (Files.isWritable(folder)) {
                return folder;
            }
            throw new AccessDeniedException(folder.toString());
        } catch (IOException e) {
            if (System.getProperty(CACHE) != null) {
                throw e;
            }
            return TEMPORARY.get();
        }
    }

    private static void unpack(URL source, Path target) throws IOException {
        URLConnection connection = source.openConnection();
        long size = connection.getContentLengthLong();
        if (Files.exists(target) && Files.size(target) == size) {
            return;
        }
        try (InputStream in = connection.getInputStream();
             Parts part = Parts.create(target)) {
            long copied = part.copy(in);
            if (copied != size) {
                throw new IOException(source + " is cut short: " + copied + " of " + size
                        + " bytes");
            }
            move(part.path(), target);
        }
    }

    private static void move(Path part, Path target) throws IOException {
        try {
            Files.move(part, target, StandardCopyOption.ATOMIC_MOVE,
                    StandardCopyOption.REPLACE_EXISTING);
        } catch (AtomicMoveNotSupportedException e) {
            Files.move(part, target, StandardCopyOption.REPLACE_EXISTING);
        }
    }

    /** The fallback when no cache can be written: a folder for this process, deleted at its end. */
    private static Path temporary() {
        try {
            Path folder = Files.createTempDirectory("damo-natives");
            Runtime.getRuntime().addShutdownHook(new Thread(() -> delete(folder)));
            return folder;
        } catch (IOException e) {
            throw new DamoException("io", "no folder can be written to unpack native libraries: "
                    + e + "; name one with -Ddamo.cache=FOLDER", Map.of(), e);
        }
    }

    private static void delete(Path folder) {
        try (var files = Files.list(folder)) {
            files.forEach(file -> file.toFile().delete());
            Files.deleteIfExists(folder);
        } catch (IOException e) {
            System.err.println("damo: cannot delete " + folder + ": " + e);
        }
    }
}
