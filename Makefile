# make demo    generate a grid of images from the model that ships with the project
# make test    the whole test suite, and the formatting check
# make build   the executable, at .build/release/sfumato
SHELL := /bin/sh
SFUMATO := .build/release/sfumato
DEMO := outputs/demo

.PHONY: all demo test build setup format clean

all: build

setup:
	@Scripts/setup.sh

build: setup
	swift build -c release --product sfumato

demo: build
	@$(SFUMATO) generate samplers/cifar10-dico.yaml -n 64 --columns 8 --grid --out $(DEMO) --overwrite >/dev/null
	@echo "64 images and the grid of them: $(CURDIR)/$(DEMO)/grid.png"

test: setup
	swift format lint --strict --recursive --parallel Package.swift Sources Tests
	swift build --build-tests
	swift test --skip-build

format:
	swift format --in-place --recursive --parallel Package.swift Sources Tests

clean:
	rm -rf .build
