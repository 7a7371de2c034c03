"""`python -m hashzoo`."""

from hashzoo.cli import main

if __name__ == "__main__":
    main()
