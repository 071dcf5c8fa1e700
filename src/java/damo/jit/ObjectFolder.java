package damo.jit;

import damo.lib.PrivateFolder;
import java.io.IOException;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.Comparator;
import java.util.List;
import java.util.concurrent.ThreadLocalRandom;
import java.util.function.Supplier;

/**
 * Objects in files, which outlive the process. Nothing here fails: where the folder cannot be
 * trusted, read or written, objects are not found, and compiled anew. Processes may share it.
 */
final class ObjectFolder {
    private static final String NAME = "code";
    /** What no object reaches. */
    private static final int LARGEST = 1 << 26;
    /** The disk gives room to files by such blocks. */
    private static final long BLOCK = 4096;
    /** How long nothing is written when writing has failed, as on a full disk. */
    private static final long PAUSE = 60_000;
    /** The limit in shares. One share is written, on average, from look to look at the folder. */
    private static final int SHARES = 16;
    /** What lies there after a look: at most so many shares, and if they were more, so many. */
    private static final int MANY = 12;
    private static final int LEFT = 10;

    private final Supplier<Path> home;
    private final long limit;
    private PrivateFolder folder;
    private volatile String refused;
    private volatile long paused;

    /** In a folder of {@code home}, whose files take at most so many bytes. */
    ObjectFolder(Supplier<Path> home, long limit) {
        this.home = home;
        this.limit = limit;
    }

    /** Where objects lie. */
    Path path() {
        return home.get().resolve(NAME);
    }

    /** Why the folder is not used; null when it is. */
    String refused() {
        return refused;
    }

    /** The object that was stored under a key; null when there is none to be trusted. */
    byte[] load(String key) {
        PrivateFolder open = open();
        if (open == null) {
            return null;
        }
        try {
            byte[] contents = open.read(key, LARGEST);
            byte[] object = contents == null ? null : ObjectFile.decode(key, contents);
            if (object == null && contents != null) {
                open.delete(key);
            }
            return object;
        } catch (IOException | RuntimeException e) {
            open.delete(key);
            return null;
        }
    }

    /** Stores an object, unless that fails. */
    void store(String key, byte[] object) {
        PrivateFolder open = System.currentTimeMillis() < paused ? null : open();
        if (open == null) {
            return;
        }
        try {
            byte[] contents = ObjectFile.encode(key, object);
            open.write(key, contents);
            // By chance, as looking takes 0.1 s, and most processes write little.
            if (ThreadLocalRandom.current().nextLong(share() + 1) <= room(contents.length)) {
                sweep(open);
            }
        } catch (NoSuchFileException e) {
            forget(open);
        } catch (IOException | RuntimeException e) {
            paused = System.currentTimeMillis() + PAUSE;
        }
    }

    private long share() {
        return limit / SHARES;
    }

    private static long room(long size) {
        return (size + BLOCK - 1) / BLOCK * BLOCK;
    }

    /** Where too much lies there, deletes what was not used for longest. */
    private void sweep(PrivateFolder open) throws IOException {
        List<PrivateFolder.Entry> entries = open.entries();
        long total = entries.stream().mapToLong(e -> room(e.size())).sum();
        if (total <= MANY * share()) {
            return;
        }
        entries.sort(Comparator.comparingLong(PrivateFolder.Entry::millis));
        for (PrivateFolder.Entry entry : entries) {
            if (total <= LEFT * share()) {
                return;
            }
            open.delete(entry.name());
            total -= room(entry.size());
        }
    }

    /** The folder; null when it cannot be used. */
    private synchronized PrivateFolder open() {
        if (folder == null && refused == null) {
            try {
                folder = PrivateFolder.open(home.get(), NAME);
            } catch (IOException | RuntimeException e) {
                refused = e.getClass() == IOException.class ? e.getMessage() : e.toString();
            }
        }
        return folder;
    }

    /** Forgets the folder, which somebody has deleted; it is made anew when it is needed. */
    private synchronized void forget(PrivateFolder gone) {
        if (folder == gone) {
            folder = null;
            gone.close();
        }
    }
}
