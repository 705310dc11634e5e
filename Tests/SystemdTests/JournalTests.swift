import Glibc
import Testing

@testable import Systemd

struct JournalTests {
  /// sd_journal_send(3): the name ends at the first `=`; what follows is the value, whatever is in it.
  @Test func `assigns each field its value as it is`() {
    let lines = Journal.assignments([
      ("MESSAGE", "a b=c"), ("SLUICE_NAME", "two\nlines"), ("SLUICE_EMPTY", ""),
    ])
    #expect(
      lines.map { String(decoding: $0, as: UTF8.self) } == [
        "MESSAGE=a b=c", "SLUICE_NAME=two\nlines", "SLUICE_EMPTY=",
      ])
  }

  /// systemd.exec(5), `JOURNAL_STREAM`: in a process of its own for the environment.
  @Test func `knows its stream by device and inode`() async {
    await #expect(processExitsWith: .success) {
      unsetenv("JOURNAL_STREAM")
      #expect(!Journal.isStandardError())
      var status = stat()
      fstat(STDERR_FILENO, &status)
      setenv("JOURNAL_STREAM", "\(status.st_dev):\(status.st_ino)", 1)
      #expect(Journal.isStandardError())
      setenv("JOURNAL_STREAM", "\(status.st_dev):\(status.st_ino + 1)", 1)
      #expect(!Journal.isStandardError())
      setenv("JOURNAL_STREAM", "", 1)
      #expect(!Journal.isStandardError())
    }
  }
}
