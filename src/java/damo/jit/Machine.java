package damo.jit;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/**
 * The processor that machine code of this process is made for.
 *
 * @param cpu what LLVM calls its kind: {@code "znver5"}
 * @param name what it calls itself, or the empty text
 * @param vectorBits the width of the vectors that loops use
 * @param processors how many of them this process may use
 */
public record Machine(String cpu, String name, int vectorBits, int processors) {
    private static final Path ABOUT = Path.of("/proc/cpuinfo");

    /** This machine. Loads LLVM where that has not happened; throws as compiling does. */
    public static Machine get() {
        Host host = Host.get();
        return new Machine(host.cpu(), ownName(), host.vectorBits(),
                Runtime.getRuntime().availableProcessors());
    }

    private static String ownName() {
        try (var lines = Files.lines(ABOUT)) {
            return lines.filter(line -> line.startsWith("model name")).findFirst()
                    .map(line -> line.substring(line.indexOf(':') + 1).strip()).orElse("");
        } catch (IOException e) {
            return "";
        }
    }
}
