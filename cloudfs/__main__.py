"""``python -m cloudfs``"""

from cloudfs.cli.main import main

if __name__ == "__main__":
    main()
