"""Throw-away certificate authorities and what they certify, made with the openssl command."""

import datetime
import pathlib
import subprocess


def openssl(*arguments: object, text: str | None = None) -> str:
    done = subprocess.run(["openssl", *map(str, arguments)], input=text, capture_output=True, text=True, timeout=30)
    assert done.returncode == 0, f"openssl {' '.join(map(str, arguments))}:\n{done.stderr}"
    return done.stdout


def new_key(path: pathlib.Path) -> None:
    openssl("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", path)


class CertificateAuthority:
    """`certificate`: the PEM file that whoever trusts it is given."""

    def __init__(self, folder: pathlib.Path, name: str = "invlog tests"):
        self.folder, self.certificate, self.key = folder, folder / "authority.pem", folder / "authority-key.pem"
        folder.mkdir(parents=True, exist_ok=True)
        new_key(self.key)
        openssl("req", "-x509", "-new", "-key", self.key, "-days", 3, "-subj", f"/CN={name}", "-out", self.certificate,
                "-addext", "basicConstraints=critical,CA:TRUE", "-addext", "keyUsage=critical,keyCertSign")

    def issue(self, *names: str, label: str = "server", days: int = 2) -> tuple[pathlib.Path, pathlib.Path]:
        """Certificate and key of a server with these DNS names. `days`: negative for one that has expired."""
        key, request, certificate = (self.folder / f"{label}{ending}" for ending in ("-key.pem", ".csr", ".pem"))
        extensions = self.folder / f"{label}.extensions"
        extensions.write_text("subjectAltName=" + ",".join(f"DNS:{name}" for name in names) + "\nextendedKeyUsage=serverAuth\n")
        new_key(key)
        openssl("req", "-new", "-key", key, "-subj", f"/CN={label}", "-out", request)
        # `openssl x509 -days -1` is refused from OpenSSL 3.5 on.
        configuration = self.folder / "issue.conf"
        configuration.write_text(f"[ca]\ndefault_ca=here\n[here]\ndatabase={self.folder}/issued.txt\nnew_certs_dir={self.folder}\n"
                                 "rand_serial=yes\ndefault_md=sha256\nunique_subject=no\npolicy=any\n[any]\ncommonName=supplied\n")
        (self.folder / "issued.txt").touch()
        end = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(days=days)
        start = min(end, datetime.datetime.now(datetime.timezone.utc)) - datetime.timedelta(days=1)
        openssl("ca", "-batch", "-notext", "-config", configuration, "-in", request, "-cert", self.certificate, "-keyfile", self.key,
                "-startdate", f"{start:%Y%m%d%H%M%SZ}", "-enddate", f"{end:%Y%m%d%H%M%SZ}", "-extfile", extensions, "-out", certificate)
        return certificate, key
