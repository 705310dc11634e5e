import java.io.BufferedInputStream;
import java.io.InputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.util.HexFormat;
import java.util.zip.ZipInputStream;

/** Reads an archive from standard input, front to back, and prints the SHA-256, size and name of every entry. */
class StreamReader {
  public static void main(String[] arguments) throws Exception {
    InputStream input = new BufferedInputStream(System.in, 1 << 20);
    PrintStream output = new PrintStream(System.out, true, StandardCharsets.UTF_8);
    try (ZipInputStream zip = new ZipInputStream(input, StandardCharsets.UTF_8)) {
      byte[] buffer = new byte[1 << 16];
      for (var entry = zip.getNextEntry(); entry != null; entry = zip.getNextEntry()) {
        MessageDigest digest = MessageDigest.getInstance("SHA-256");
        long size = 0;
        for (int count = zip.read(buffer); count > 0; count = zip.read(buffer)) {
          digest.update(buffer, 0, count);
          size += count;
        }
        output.println(HexFormat.of().formatHex(digest.digest()) + " " + size + " " + entry.getName());
      }
    }
  }
}
