package damo.lib;

import java.io.IOException;
import java.io.InputStream;
import java.nio.channels.Channels;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;

/**
 * A file while it is written, beside its place. Its writer holds a lock on it, which the system
 * ends with the process: so what a killed process has left can be told from what another is
 * writing, and is deleted.
 */
final class Parts implements AutoCloseable {
    private static final String SUFFIX = ".part";
    /** Those of this process: a lock does not tell them, and a look at them would end it. */
    private static final Set<Path> OWN = ConcurrentHashMap.newKeySet();

    private final Path path;
    private final FileChannel channel;

    private Parts(Path path) throws IOException {
        this.path = path;
        this.channel = FileChannel.open(path, StandardOpenOption.WRITE);
    }

    /** An empty file for that target. */
    static Parts create(Path target) throws IOException {
        while (true) {
            Path path = Files.createTempFile(target.getParent(), target.getFileName() + ".",
                    SUFFIX);
            OWN.add(path);
            Parts part = new Parts(path);
            if (part.channel.tryLock() != null && Files.exists(path)) {
                return part;
            }
            // Another process has taken it for abandoned before it was locked.
            part.close();
        }
    }

    /** Where it lies. */
    Path path() {
        return path;
    }

    /** Writes all that the stream has; how many bytes that were. */
    long copy(InputStream in) throws IOException {
        return in.transferTo(Channels.newOutputStream(channel));
    }

    /** Ends the writing; the file is gone, unless it was moved. */
    @Override
    public void close() throws IOException {
        try (channel) {
            Files.deleteIfExists(path);
        } finally {
            OWN.remove(path);
        }
    }

    /** Deletes what processes have left in a folder that ended while they wrote. */
    static void sweep(Path folder) throws IOException {
        try (DirectoryStream<Path> parts = Files.newDirectoryStream(folder, "*" + SUFFIX)) {
            for (Path part : parts) {
                if (!OWN.contains(part)) {
                    deleteAbandoned(part);
                }
            }
        }
    }

    private static void deleteAbandoned(Path part) {
        try (FileChannel channel = FileChannel.open(part, StandardOpenOption.WRITE);
             FileLock lock = channel.tryLock()) {
            if (lock != null) {
                Files.deleteIfExists(part);
            }
        } catch (IOException e) {
            // Finished meanwhile, or not ours to look at.
            return;
        }
    }
}
