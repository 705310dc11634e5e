import System
import Testing

@testable import Pull

struct BackupStoreTests {
  @Test(
    arguments: [
      ("/srv/backups", .directory("/srv/backups")), ("a:b", .directory("a:b")),
      ("./restic:x", .directory("./restic:x")),
      ("restic:/srv/r", .restic("/srv/r")), ("restic:sftp:u@h:/r", .restic("sftp:u@h:/r")),
      ("borg:ssh://u@h/./r", .borg("ssh://u@h/./r")), ("rclone:s3:bucket/app", .rclone("s3:bucket/app")),
      ("", nil), ("restic:", nil), ("rclone:", nil), ("borg:--help", nil), ("a\0b", nil),
    ] as [(String, BackupStore?)])
  func `a source is a directory or names its program`(_ text: String, _ store: BackupStore?) {
    #expect(BackupStore(text) == store)
  }

  @Test(
    arguments: [
      ("backup-2026-11-28T031502Z.zip", "backup", nil),
      ("a-b-2026-11-28T031502Z-incomplete.zip", "a-b", "incomplete"),
      ("backup-2026-11-28T031502Z-unverified.zip", "backup", "unverified"),
    ] as [(String, String, String?)])
  func `a name has a series, a time and a word`(_ file: String, _ series: String, _ word: String?) {
    let name = BackupName(file)
    #expect(name?.series == series)
    #expect(name?.word == word)
    #expect(name?.time.seconds == "2026-11-28T03:15:02Z")
  }

  @Test(arguments: [
    "backup-2026-11-28T031502Z", "backup-2026-11-28T03:15:02Z.zip", "-2026-11-28T031502Z.zip",
    "backup-2026-11-31T031502Z.zip", "backup-2026-11-28T031502Z-other.zip", "2026-11-28T031502Z.zip", ".zip",
    "",
  ])
  func `other names are none`(_ file: String) {
    #expect(BackupName(file) == nil)
  }

  private static let file = "backup-2026-11-28T031502Z.zip"

  @Test func `restic's list gives snapshots of one file each`() {
    let store = BackupStore.restic("/r")
    let list = """
      [{"id":"aa11","short_id":"aa","time":"2030-01-01T00:00:00Z","paths":["/\(Self.file)"],"hostname":"h"},
       {"id":"bb22","paths":["/\(Self.file)","/etc"]},{"id":"cc33","paths":["/etc"]},
       {"id":"dd44","paths":["/other-2026-11-28T031502Z.zip"]},
       {"id":"ee55","paths":["/\(Self.file)"],"tags":["sluice","unverified"]}]
      """
    let backups = store.backups(in: Array(list.utf8), of: "backup")
    #expect(backups?.map(\.file) == [Self.file, Self.file])
    #expect(backups?.map(\.word) == [nil, "unverified"])
    #expect(
      backups.map { store.readArguments($0[0]) } == [
        "-r", "/r", "dump", "--no-lock", "aa11", "/\(Self.file)",
      ])
    #expect(store.backups(in: Array("null".utf8), of: "backup") == [])
  }

  @Test func `borg's list gives archives`() {
    let store = BackupStore.borg("/r")
    let list =
      #"{"archives":[{"archive":"x","name":"\#(Self.file)","time":"t"},{"name":"x"}],"repository":{}}"#
    let backups = store.backups(in: Array(list.utf8), of: "backup")
    #expect(backups?.map(\.file) == [Self.file])
    #expect(backups.map { store.readArguments($0[0]).last } == "/r::\(Self.file)")
  }

  @Test(arguments: [("s3:a/b", "s3:a/b/"), ("s3:", "s3:"), ("/srv/", "/srv/")])
  func `rclone's list gives files`(_ folder: String, _ before: String) {
    let store = BackupStore.rclone(folder)
    let list = #"[{"Path":"\#(Self.file)","Name":"x","Size":12,"IsDir":false},{"Path":"x","Size":-1}]"#
    let backups = store.backups(in: Array(list.utf8), of: "backup")
    #expect(backups?.map(\.size) == [12])
    #expect(backups.map { store.readArguments($0[0]) } == ["cat", "\(before)\(Self.file)"])
  }

  @Test(arguments: ["", "{}", "[1]", "Fatal: no repository", #"[{"id":1}]"#])
  func `what is no list gives no backups`(_ text: String) {
    for store in [BackupStore.restic("r"), .borg("r"), .rclone("r")] {
      #expect(store.backups(in: Array(text.utf8), of: "backup") == nil)
    }
  }

  @Test(
    arguments: [
      ("restic", ["Fatal: wrong password", "see its manual"], "Fatal: wrong password"),
      ("restic", ["Save(<data/1>) returned error, retrying", "Fatal: no room"], "Fatal: no room"),
      ("restic", ["no such program"], "no such program"),
      ("borg", ["Traceback", "Repository /r does not exist."], "Repository /r does not exist."),
      ("rclone", ["one attempt", "Failed: no such remote"], "Failed: no such remote"),
      (
        "rclone",
        ["one attempt", "Failed: RequestError: send request failed", "caused by: connection refused"],
        "Failed: RequestError: send request failed; caused by: connection refused"
      ),
      (
        "rclone", ["one attempt", "Failed: AccessDenied: no", "\tstatus code: 403, request id: 1"],
        "Failed: AccessDenied: no; status code: 403, request id: 1"
      ),
      (
        "borg",
        [
          "Local Exception", "Traceback (most recent call last):",
          "  File \"archiver.py\", line 5213, in main",
          "OSError: [Errno 28] No space left on device: 'full/b'", "", "Platform: Linux app 6.1",
          "Borg: 1.2.4", "sys.argv: ['borg']", "SSH_ORIGINAL_COMMAND: None", "",
        ], "OSError: [Errno 28] No space left on device: 'full/b'"
      ),
      ("rclone", ["caused by: a pipe"], "caused by: a pipe"), ("rclone", [], nil), ("restic", [], nil),
    ] as [(String, [String], String?)])
  func `of what a program says, a fault is the message with its cause`(
    _ program: String, _ lines: [String], _ fault: String?
  ) {
    #expect(BackupStore.fault(of: program, in: lines) == fault)
  }
}
