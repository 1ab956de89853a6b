import setuptools

setuptools.setup(setup_requires=["pbr>=7"], pbr=True)
