/**
 * A program that cannot run here, however often it is tried.
 */
export class CannotRun extends Error {}

/**
 * Compile the program. It is fetched gzipped and inflated here, so that neither its size on the wire nor its type depends on how the web
 * server treats .wasm files; where that does not work, as it is.
 *
 * @param {string} url of the .wasm file; the gzipped one is beside it
 * @return {Promise<WebAssembly.Module>} rejected with a CannotRun when there is no use in trying again
 */
export async function compile( url ) {
	if ( typeof WebAssembly === 'undefined' ) {
		throw new CannotRun( 'no WebAssembly' );
	}
	try {
		if ( typeof DecompressionStream === 'function' && WebAssembly.compileStreaming ) {
			const zipped = await fetch( url + '.gz' );
			if ( zipped.ok && zipped.body ) {
				return await WebAssembly.compileStreaming( await inflated( zipped ) );
			}
		}
		const plain = await fetch( url );
		if ( plain.ok ) {
			// Whatever type the server gives it.
			return await WebAssembly.compile( await plain.arrayBuffer() );
		}
		throw new CannotRun( url + ': HTTP status ' + plain.status );
	} catch ( e ) {
		// No such program, or one that the content security policy does not let run.
		throw e instanceof WebAssembly.CompileError ? new CannotRun( e.message ) : e;
	}
}

/**
 * Some servers declare the gzipped file as Content-Encoding: gzip, and then the browser has inflated it already: look.
 *
 * @param {Response} response
 * @return {Promise<Response>} of the program itself
 */
async function inflated( response ) {
	const reader = response.body.getReader();
	const first = await reader.read();
	let stream = new ReadableStream( {
		start( controller ) {
			if ( first.done ) {
				controller.close();
			} else {
				controller.enqueue( first.value );
			}
		},
		pull( controller ) {
			return reader.read().then( ( chunk ) => {
				if ( chunk.done ) {
					controller.close();
				} else {
					controller.enqueue( chunk.value );
				}
			} );
		},
		cancel( reason ) {
			return reader.cancel( reason );
		}
	} );
	// The first byte of gzip; a .wasm file begins with a zero.
	if ( !first.done && first.value[ 0 ] === 0x1f ) {
		stream = stream.pipeThrough( new DecompressionStream( 'gzip' ) );
	}
	return new Response( stream, { headers: { 'Content-Type': 'application/wasm' } } );
}
