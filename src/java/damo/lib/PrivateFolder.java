package damo.lib;

import java.io.IOException;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.channels.SeekableByteChannel;
import java.nio.file.DirectoryStream;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.NoSuchFileException;
import java.nio.file.OpenOption;
import java.nio.file.Path;
import java.nio.file.SecureDirectoryStream;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.BasicFileAttributeView;
import java.nio.file.attribute.BasicFileAttributes;
import java.nio.file.attribute.FileAttribute;
import java.nio.file.attribute.FileTime;
import java.nio.file.attribute.PosixFileAttributeView;
import java.nio.file.attribute.PosixFileAttributes;
import java.nio.file.attribute.PosixFilePermissions;
import java.nio.file.attribute.UserPrincipal;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.UUID;

/**
 * A folder for files that only this user can have written, held by the system's handle: what is
 * checked is what is used, whatever becomes of its path meanwhile. Neither it nor a file in it may
 * be a symbolic link, belong to another user, or be open to others. Threads may share it.
 */
public final class PrivateFolder implements AutoCloseable {
    /** How a file begins while it is written. */
    private static final String PART = "part-";
    /** What is still a part after an hour was left by a process that ended. */
    private static final long ABANDONED = 3_600_000;
    /** A file is marked as used when that was last done longer ago, in milliseconds. */
    private static final long RECENT = 3_600_000;
    private static final Lazy<UserPrincipal> USER = new Lazy<>(PrivateFolder::user);

    private final SecureDirectoryStream<Path> folder;

    private PrivateFolder(SecureDirectoryStream<Path> folder) {
        this.folder = folder;
    }

    /** A file: its name, its size in bytes, and when it was last written or touched. */
    public record Entry(String name, long size, long millis) { }

    /**
     * The folder of that name in {@code parent}, made if need be. Throws an exception that says why
     * it cannot be trusted or used.
     */
    public static PrivateFolder open(Path parent, String name) throws IOException {
        Path path = parent.resolve(name);
        try {
            Files.createDirectories(parent);
            Files.createDirectory(path, permissions("rwx------"));
        } catch (FileAlreadyExistsException | UnsupportedOperationException e) {
            // Looked at below.
        }
        try (DirectoryStream<Path> above = Files.newDirectoryStream(parent)) {
            if (!(above instanceof SecureDirectoryStream<Path> secure)) {
                throw new IOException("Java holds no folders by their handles on this system");
            }
            var opened = secure.newDirectoryStream(Path.of(name), LinkOption.NOFOLLOW_LINKS);
            try {
                check(path.toString(),
                        opened.getFileAttributeView(PosixFileAttributeView.class).readAttributes());
                return new PrivateFolder(opened);
            } catch (IOException | RuntimeException e) {
                opened.close();
                throw e;
            }
        }
    }

    private static void check(String what, PosixFileAttributes a) throws IOException {
        if (!a.owner().equals(USER.get())) {
            throw new IOException(what + " belongs to the user " + a.owner().getName());
        }
        String permissions = PosixFilePermissions.toString(a.permissions());
        if (!permissions.endsWith("------")) {
            throw new IOException(what + " is open to others: its permissions are " + permissions);
        }
    }

    /**
     * The contents of a file of at most so many bytes, which is marked as used; null where there is
     * none.
     */
    public byte[] read(String name, int most) throws IOException {
        Path path = Path.of(name);
        try {
            PosixFileAttributes a = folder.getFileAttributeView(path, PosixFileAttributeView.class,
                    LinkOption.NOFOLLOW_LINKS).readAttributes();
            check(name, a);
            if (!a.isRegularFile() || a.size() > most) {
                throw new IOException(name + " is no file of at most " + most + " bytes");
            }
            byte[] contents = read(path, new byte[(int) a.size()]);
            touch(path, a.lastModifiedTime().toMillis());
            return contents;
        } catch (NoSuchFileException e) {
            return null;
        }
    }

    private byte[] read(Path path, byte[] bytes) throws IOException {
        Set<OpenOption> options = Set.of(StandardOpenOption.READ, LinkOption.NOFOLLOW_LINKS);
        try (SeekableByteChannel channel = folder.newByteChannel(path, options)) {
            ByteBuffer buffer = ByteBuffer.wrap(bytes);
            while (buffer.hasRemaining()) {
                if (channel.read(buffer) < 0) {
                    throw new IOException(path + " is cut short");
                }
            }
            return bytes;
        }
    }

    private void touch(Path path, long millis) throws IOException {
        long now = System.currentTimeMillis();
        if (now - millis > RECENT) {
            folder.getFileAttributeView(path, BasicFileAttributeView.class,
                    LinkOption.NOFOLLOW_LINKS).setTimes(FileTime.fromMillis(now), null, null);
        }
    }

    /** Writes a file; it appears whole or not at all, in the place of one of that name. */
    public void write(String name, byte[] bytes) throws IOException {
        Path part = Path.of(PART + UUID.randomUUID());
        Set<OpenOption> options = Set.of(StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE,
                LinkOption.NOFOLLOW_LINKS);
        boolean done = false;
        try {
            try (SeekableByteChannel channel = folder.newByteChannel(part, options,
                    permissions("rw-------"))) {
                ByteBuffer buffer = ByteBuffer.wrap(bytes);
                while (buffer.hasRemaining()) {
                    channel.write(buffer);
                }
            }
            folder.move(part, folder, Path.of(name));
            done = true;
        } finally {
            if (!done) {
                delete(part.toString());
            }
        }
    }

    /** Deletes a file, if it is there and can be deleted. */
    public void delete(String name) {
        try {
            folder.deleteFile(Path.of(name));
        } catch (IOException e) {
            // Gone already, or a folder: neither is in the way.
            return;
        }
    }

    /** The files that are there; what processes have left unfinished is deleted. */
    public List<Entry> entries() throws IOException {
        List<Entry> entries = new ArrayList<>();
        long now = System.currentTimeMillis();
        try (var again = folder.newDirectoryStream(Path.of("."))) {
            for (Path path : again) {
                String name = path.getFileName().toString();
                BasicFileAttributes a = attributes(name);
                if (a == null) {
                    continue;
                }
                long millis = a.lastModifiedTime().toMillis();
                if (!name.startsWith(PART)) {
                    entries.add(new Entry(name, a.size(), millis));
                } else if (now - millis > ABANDONED) {
                    delete(name);
                }
            }
        }
        return entries;
    }

    private BasicFileAttributes attributes(String name) throws IOException {
        try {
            return folder.getFileAttributeView(Path.of(name), BasicFileAttributeView.class,
                    LinkOption.NOFOLLOW_LINKS).readAttributes();
        } catch (NoSuchFileException e) {
            return null;
        }
    }

    private static FileAttribute<?> permissions(String text) {
        return PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString(text));
    }

    /** The user whose rights this process has. Java looks a number up where it finds no name. */
    @SuppressWarnings("restricted")
    private static UserPrincipal user() {
        Linker linker = Linker.nativeLinker();
        try {
            int id = (int) linker.downcallHandle(
                    linker.defaultLookup().find("geteuid").orElseThrow(),
                    FunctionDescriptor.of(ValueLayout.JAVA_INT)).invokeExact();
            return Path.of("").getFileSystem().getUserPrincipalLookupService()
                    .lookupPrincipalByName(Integer.toUnsignedString(id));
        } catch (Throwable e) {
            throw new IllegalStateException("cannot tell who runs this process", e);
        }
    }

    /** Gives the handle back. */
    @Override
    public void close() {
        try {
            folder.close();
        } catch (IOException e) {
            // Nothing was written through it.
            return;
        }
    }
}
