import Testing

@testable import Pull

private let record = BaseRecord(
  urlDigest: "00ff", tag: "\"a-b\"", file: "backup-2026-11-28T031502Z.zip", size: 1_082_130_432)

@Suite struct BaseRecordTests {
  @Test func `reads what it writes`() {
    #expect(BaseRecord(record.text) == record)
  }

  @Test func `a record that was cut is none`() {
    for count in 0..<record.text.utf8.count {
      #expect(BaseRecord(String(record.text.prefix(count))) == nil, "\(count)")
    }
    #expect(BaseRecord(record.text + "\n") == nil)
  }

  @Test(arguments: [
    ("\"a-b\"", "W/\"a-b\""), ("\"a-b\"", "\"a\"\r\nX: y"), ("\"a-b\"", "a-b"), ("backup-", "../backup-"),
    ("backup-2026-11-28T031502Z.zip", ".."), ("backup-2026-11-28T031502Z.zip", ""),
    ("1082130432", "+1082130432"),
    ("1082130432", "x"), ("sluice base 1", "sluice base 2"), ("etag ", "tag "),
  ])
  func `a record of another form is none`(part: String, other: String) {
    let text = record.text.replacing(part, with: other)
    #expect(text != record.text)
    #expect(BaseRecord(text) == nil)
  }
}

@Suite struct BackupURLTests {
  @Test(arguments: [
    ("http://h/api/backup", "http://h/api/backup?compression=store"),
    ("http://h/api/backup?", "http://h/api/backup?compression=store"),
    ("https://h/api/backup?db=a.db", "https://h/api/backup?db=a.db&compression=store"),
    ("http://h/api/backup?compression=store&strict=1", "http://h/api/backup?compression=store&strict=1"),
  ])
  func `asks for what deltas can be made of`(given: String, asked: String) {
    let url = BackupURL(given, isWhole: false)
    #expect(url?.text == asked)
    #expect(url?.isStored == true)
  }

  @Test func `leaves another compression as it is`() {
    let url = BackupURL("http://h/?compression=fast", isWhole: false)
    #expect(url?.text == "http://h/?compression=fast")
    #expect(url?.isStored == false)
    let whole = BackupURL("http://h/?strict=1", isWhole: true)
    #expect(whole?.text == "http://h/?strict=1")
    #expect(whole?.isStored == false)
  }

  @Test(arguments: [
    "", "ftp://h/x", "http://", "/api/backup", "-o/etc/passwd", "http://h/a b", "http://h/#a", "http://h/\n",
  ])
  func `refuses what is no URL of a backup`(text: String) {
    #expect(BackupURL(text, isWhole: false) == nil)
  }

  @Test(arguments: [
    ("https://u:p@ss@h:1/x?db=a@b", "https://h:1/x?db=a@b"), ("https://h/a@b", "https://h/a@b"),
    ("https://u:p@h", "https://h"), ("https://u:p@h?strict=1", "https://h?strict=1"),
    (
      "http://h/x?key=p&compression=store&db=a=b&p&resume=c",
      "http://h/x?key=…&compression=store&db=a=b&…&resume=c"
    ),
    ("http://h/x?&key=p?db=p&=p&", "http://h/x?&key=…&=…&"),
    ("http://h/x?compressio%6E=p", "http://h/x?compressio%6E=…"),
    ("http://h/?", "http://h/?"),
  ])
  func `shows no password and no other secret`(text: String, shown: String) {
    #expect(BackupURL(text, isWhole: true)?.shown == shown)
  }
}
