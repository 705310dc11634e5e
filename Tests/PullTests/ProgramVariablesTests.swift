import Pull
import Testing

@Suite struct ProgramVariablesTests {
  private static let restic = ProgramVariables(of: "restic", at: "s3:x")

  @Test(arguments: [
    (
      ProgramVariables.plain,
      ["PATH", "TMPDIR", "LC_ALL", "SSL_CERT_FILE", "CURL_HOME", "https_proxy", "ALL_PROXY", "ASAN_OPTIONS"]
    ),
    (restic, ["RESTIC_PASSWORD", "AWS_SECRET_ACCESS_KEY", "SSHPASS", "PATH"]),
    (ProgramVariables(of: "restic", at: "rclone:r:x"), ["RESTIC_PASSWORD", "RCLONE_CONFIG_PASS"]),
    (ProgramVariables(of: "borg", at: "rclone:x"), ["BORG_PASSPHRASE", "AWS_PROFILE"]),
    (.command, ["RESTIC_PASSWORD", "BORG_PASSPHRASE", "SLUICE_NAME", "MINE"]),
  ])
  func `a program gets`(program: ProgramVariables, names: [String]) {
    for name in names { #expect(program.include(name), "\(name)") }
  }

  @Test(arguments: [
    (
      ProgramVariables.plain,
      [
        "RESTIC_PASSWORD", "BORG_PASSCOMMAND", "RCLONE_CONFIG_PASS", "AWS_SECRET_ACCESS_KEY", "MINE",
        "SLUICE_PULL_URL", "", "PATHS",
      ]
    ),
    (restic, ["BORG_PASSPHRASE", "RCLONE_CONFIG_PASS", "SLUICE_PULL_NOTIFY"]),
    (ProgramVariables(of: "borg", at: "rclone:x"), ["RESTIC_PASSWORD", "RCLONE_CONFIG_PASS"]),
    (.command, ["SLUICE_PULL_PING", "SLUICE_PULL_CURL"]),
  ])
  func `a program does not get`(program: ProgramVariables, names: [String]) {
    for name in names { #expect(!program.include(name), "\(name)") }
  }
}
