package damo.runtime;

import java.io.IOException;
import java.nio.file.FileSystemException;
import java.nio.file.FileSystemLoopException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;

/** Which file a path that is to be written means. */
public final class Destination {
    /** As many links in a row as Linux follows. */
    private static final int MOST_LINKS = 40;

    private Destination() { }

    /**
     * The file at the end of symbolic links, which is there or not: a rename onto a link would
     * replace the link itself. Throws when something else than a file is there, such as a folder or
     * a device, which a rename would replace likewise.
     */
    public static Path of(Path target) throws IOException {
        Path path = target.toAbsolutePath();
        for (int links = 0; Files.isSymbolicLink(path); links++) {
            if (links == MOST_LINKS) {
                throw new FileSystemLoopException(target.toString());
            }
            path = path.resolveSibling(Files.readSymbolicLink(path));
        }
        if (Files.isDirectory(path)) {
            throw new FileSystemException(path.toString(), null,
                    "it is a folder; name a file in it");
        }
        if (Files.exists(path, LinkOption.NOFOLLOW_LINKS) && !Files.isRegularFile(path)) {
            throw new FileSystemException(path.toString(), null, "it is a device, not a file");
        }
        return path;
    }
}
