import Foundation
import Glibc

/// Another process with a connection to the same database: Python's `sqlite3` on the system's library.
///
/// POSIX locks are between processes, and a process's own connections share them; only another one shows what a
/// snapshot keeps from happening. Files of a database that is pinned here are looked at there, too: closing a
/// descriptor of them here would drop the pin.
final class OtherProcess {
  struct Failure: Error, Equatable, CustomStringConvertible {
    var description: String
  }

  /// Evaluates an expression from each line and answers with a line of JSON.
  private static let script = """
    import fcntl, hashlib, json, os, random, sqlite3, struct, sys, time

    # What works for ever ends when nobody is left to end it.
    parent = os.getppid()

    def connect(path, timeout=20):
        global db
        db = sqlite3.connect(path, isolation_level=None, timeout=timeout, uri=path.startswith("file:"))

    def sql(text):
        rows = db.execute(text).fetchall()
        return rows[0][0] if len(rows) == 1 and len(rows[0]) == 1 else rows

    def checkpoint(mode):
        return sql("PRAGMA wal_checkpoint(%s)" % mode)[0][0]

    def read(path, count=-1, at=0):
        with open(path, "rb") as file:
            file.seek(at)
            return file.read(count)

    def write(path, at, data):
        with open(path, "r+b") as file:
            file.seek(at)
            return file.write(data)

    def locked(path, byte):
        # Whether a process but this one has a lock there: F_GETLK, fcntl(2).
        with open(path, "r+b") as file:
            asked = struct.pack("hhqqi4x", fcntl.F_WRLCK, os.SEEK_SET, byte, 1, 0)
            return struct.unpack("hhqqi4x", fcntl.fcntl(file, fcntl.F_GETLK, asked))[0] != fcntl.F_UNLCK

    def write_for_ever(path):
        # As if there were no locks: what is there already, again and again.
        data = read(path, 8, 4096)
        print(json.dumps([True, "ready"]), flush=True)
        while os.getppid() == parent:
            write(path, 4096, data)

    def digests(path):
        return [hashlib.sha256(read(path + end)).hexdigest() if os.path.exists(path + end) else None
                for end in ("", "-wal", "-journal")]

    def transfer(count=7):
        ids = random.sample(range(1, 101), 2)
        db.execute("BEGIN IMMEDIATE")
        db.execute("UPDATE account SET balance = balance - ? WHERE id = ?", (count, ids[0]))
        db.execute("UPDATE account SET balance = balance + ? WHERE id = ?", (count, ids[1]))
        db.execute("UPDATE filler SET content = randomblob(1000) WHERE id = ?", (random.randrange(1, 300),))
        if random.randrange(20) == 0:
            db.execute("INSERT INTO filler(content) VALUES (randomblob(20000))")
        if random.randrange(20) == 0:
            db.execute("DELETE FROM filler WHERE id > 400")
        db.execute("COMMIT")

    def transfer_for_ever(path, seed, pause=0.004):
        random.seed(seed)
        connect(path)
        db.execute("PRAGMA wal_autocheckpoint=0")
        print(json.dumps([True, "ready"]), flush=True)
        while os.getppid() == parent:
            transfer()
            # Without it the log of a held snapshot grows faster than it can be read.
            time.sleep(random.random() * pause)

    def checkpoint_for_ever(path, seed):
        random.seed(seed)
        connect(path, 0.05)
        print(json.dumps([True, "ready"]), flush=True)
        while os.getppid() == parent:
            try:
                checkpoint(random.choice(["PASSIVE", "FULL", "RESTART", "TRUNCATE"]))
            except sqlite3.OperationalError:
                pass
            time.sleep(random.random() * 0.01)

    def checksum(order, data, first, second):
        words = struct.unpack(order + "%dI" % (len(data) // 4), data)
        for left, right in zip(words[::2], words[1::2]):
            first = (first + left + second) & 0xffffffff
            second = (second + right + first) & 0xffffffff
        return first, second

    def append_frame(path, page, page_count, mark):
        # A frame as a writer leaves it that dies before it publishes its commit.
        log = read(path + "-wal")
        order = ">" if log[3] & 1 else "<"
        page_size, = struct.unpack(">I", log[8:12])
        last = len(log) - 24 - page_size
        content = bytearray(read(path, page_size, (page - 1) * page_size))
        content[-len(mark):] = mark
        head = struct.pack(">II", page, page_count)
        sums = struct.unpack(">II", log[last + 16:last + 24])
        sums = checksum(order, bytes(content), *checksum(order, head, *sums))
        with open(path + "-wal", "ab") as file:
            file.write(head + log[16:24] + struct.pack(">II", *sums) + content)

    for line in sys.stdin:
        try:
            print(json.dumps([True, eval(line)]), flush=True)
        except Exception as error:
            print(json.dumps([False, str(error)]), flush=True)
    """

  private let process = Process()
  private let input = Pipe()
  private let output = Pipe()
  private var received = Data()

  init(_ path: String? = nil, timeout: Double = 20) throws {
    process.executableURL = URL(filePath: "/usr/bin/python3")
    process.arguments = ["-c", Self.script]
    process.standardInput = input
    process.standardOutput = output
    try process.run()
    if let path { try ask("connect('\(path)', \(timeout))") }
  }

  deinit { die() }

  /// Has an expression evaluated and answers the value in JSON.
  @discardableResult
  func ask(_ expression: String) throws -> String {
    try tell(expression)
    return try answer()
  }

  /// Has an expression evaluated whose value is asked for later, or never.
  func tell(_ expression: String) throws {
    try input.fileHandleForWriting.write(contentsOf: Data((expression + "\n").utf8))
  }

  func answer() throws -> String {
    while !received.contains(10) {
      let more = output.fileHandleForReading.availableData
      guard !more.isEmpty else { throw Failure(description: "the other process has ended") }
      received += more
    }
    let end = received.firstIndex(of: 10) ?? received.startIndex
    let line = String(decoding: received[..<end], as: UTF8.self)
    received = Data(received[received.index(after: end)...])
    // "[true, VALUE]" or "[false, WORDS]"
    if line.hasPrefix("[true, ") { return String(line.dropFirst(7).dropLast()) }
    throw Failure(description: String(line.dropFirst(9).dropLast(2)))
  }

  /// Ends the process as a crash would. `SIGTERM` would not end it: it is blocked in a thread of Swift's, and so
  /// in the children of one.
  func die() {
    kill(process.processIdentifier, SIGKILL)
    process.waitUntilExit()
  }
}
